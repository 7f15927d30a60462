// Tests of the visibility map under heap records, with records made by hand.
#include "storage/redo/visibility.hpp"

#include <gtest/gtest.h>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/resource_managers.hpp"
#include "tests/support/redo_records.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/visibilitymapdefs.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

using pg::resource_manager;
using testing::made_record;
using testing::remembering_sink;

const relation_id table{1663, 5, 16384};
// visibilitymap.c, HEAPBLOCKS_PER_PAGE.
constexpr block_number heap_blocks_per_map_page = (8192 - 24) * 4;

made_record an_update(uint8_t flags, block_number new_block,
                      std::optional<block_number> old_block) {
  xl_heap_update update{};
  update.flags = flags;
  made_record record(resource_manager::heap, XLOG_HEAP_UPDATE);
  record.main(update, SizeOfHeapUpdate).block(0, table, new_block);
  if (old_block) record.block(1, table, *old_block);
  return record;
}

key map_page(block_number block) { return key::block(table, fork_number::vm, block); }

page full_map() {
  page p;
  pg::page_init(p, 0);
  std::fill(p.data.begin() + 24, p.data.end(), std::byte{0xFF});
  return p;
}

void give_map(remembering_sink& sink, block_number blocks) {
  sink.put_relation(table, fork_number::vm, relation_state::of_base(blocks));
}

TEST(visibility, the_bits_of_a_heap_block_are_where_postgresql_puts_them) {
  EXPECT_EQ(visibility_position_of(0).map_block, 0u);
  EXPECT_EQ(visibility_position_of(0).byte, 24u);
  EXPECT_EQ(visibility_position_of(7).byte, 25u);
  EXPECT_EQ(visibility_position_of(7).shift, 6u);
  EXPECT_EQ(visibility_position_of(heap_blocks_per_map_page - 1).byte, 8191u);
  EXPECT_EQ(visibility_position_of(heap_blocks_per_map_page).map_block, 1u);
  EXPECT_EQ(visibility_position_of(heap_blocks_per_map_page).byte, 24u);
}

TEST(visibility, a_record_without_the_flag_puts_nothing) {
  remembering_sink sink;
  ASSERT_TRUE(ingest_heap(an_update(0, 3, 4), sink));
  EXPECT_TRUE(sink.records.empty());
  EXPECT_TRUE(sink.relations.empty());
}

TEST(visibility, two_heap_blocks_on_one_map_page_put_it_once_and_clear_both) {
  const auto record =
      an_update(XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED | XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED, 1, 6);
  remembering_sink sink;
  give_map(sink, 1);
  ASSERT_TRUE(ingest_heap(record, sink));
  ASSERT_EQ(sink.records.size(), 1u);
  EXPECT_EQ(sink.records[0], (remembering_sink::put{map_page(0), record_effect::changes}));

  page p = full_map();
  ASSERT_TRUE(apply(record, map_page(0), p));
  EXPECT_EQ(p.data[24], std::byte{0xF3});
  EXPECT_EQ(p.data[25], std::byte{0xCF});
  EXPECT_EQ(p.data[26], std::byte{0xFF});
  EXPECT_EQ(pg::page_lsn(p), lsn{0});
}

TEST(visibility, two_heap_blocks_on_two_map_pages_put_both) {
  const auto record =
      an_update(XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED | XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED,
                heap_blocks_per_map_page, 0);
  remembering_sink sink;
  give_map(sink, 2);
  ASSERT_TRUE(ingest_heap(record, sink));
  ASSERT_EQ(sink.records.size(), 2u);
  EXPECT_EQ(sink.records[0].k, map_page(0));
  EXPECT_EQ(sink.records[1].k, map_page(1));
  for (block_number block : {0u, 1u}) {
    page p = full_map();
    ASSERT_TRUE(apply(record, map_page(block), p));
    EXPECT_EQ(p.data[24], std::byte{0xFC});
    EXPECT_EQ(p.data[25], std::byte{0xFF});
  }
}

TEST(visibility, an_update_within_a_page_clears_the_bits_of_that_page) {
  const auto record = an_update(XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED, 2, std::nullopt);
  page p = full_map();
  ASSERT_TRUE(apply(record, map_page(0), p));
  EXPECT_EQ(p.data[24], std::byte{0xCF});
}

TEST(visibility, an_absent_map_is_created_with_initialised_pages_up_to_the_one_needed) {
  const auto record =
      an_update(XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED, 2 * heap_blocks_per_map_page, std::nullopt);
  remembering_sink sink;
  ASSERT_TRUE(ingest_heap(record, sink));
  const auto state = sink.relations.at(key::size(table, fork_number::vm));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->blocks(), 3u);
  ASSERT_EQ(sink.records.size(), 2u);
  EXPECT_EQ(sink.records[0], (remembering_sink::put{key::all_blocks(table, fork_number::vm),
                                                    record_effect::initialises}));
  EXPECT_EQ(sink.records[1], (remembering_sink::put{map_page(2), record_effect::initialises}));
  for (block_number block = 0; block < 3; ++block) {
    // What this very record puts must not be hidden by the fork's creation.
    EXPECT_LT(state->hidden_until(block), static_cast<const pg::record&>(record).end);
    page p;
    ASSERT_TRUE(apply(record, map_page(block), p));
    page empty;
    pg::page_init(empty, 0);
    EXPECT_EQ(p.data, empty.data);
  }
}

TEST(visibility, a_lock_clears_the_all_frozen_bit_only) {
  xl_heap_lock lock{};
  lock.flags = XLH_LOCK_ALL_FROZEN_CLEARED;
  made_record record(resource_manager::heap, XLOG_HEAP_LOCK);
  record.main(lock, SizeOfHeapLock).block(0, table, 1);
  page p = full_map();
  ASSERT_TRUE(apply(record, map_page(0), p));
  EXPECT_EQ(p.data[24], std::byte{0xF7});
}

TEST(visibility, locking_an_updated_row_clears_the_all_frozen_bit_only) {
  xl_heap_lock_updated lock{};
  lock.flags = XLH_LOCK_ALL_FROZEN_CLEARED;
  made_record record(resource_manager::heap2, XLOG_HEAP2_LOCK_UPDATED);
  record.main(lock, SizeOfHeapLockUpdated).block(0, table, 1);
  page p = full_map();
  ASSERT_TRUE(apply(record, map_page(0), p));
  EXPECT_EQ(p.data[24], std::byte{0xF7});
}

made_record a_visible(uint8_t flags, block_number heap_block, block_number map_block) {
  xl_heap_visible visible{};
  visible.flags = flags;
  made_record record(resource_manager::heap2, XLOG_HEAP2_VISIBLE);
  record.main(visible, SizeOfHeapVisible)
      .block(0, table, map_block, fork_number::vm)
      .block(1, table, heap_block);
  return record;
}

TEST(visibility, a_visible_record_sets_bits_and_lsn_in_a_new_map_page) {
  const auto record = a_visible(VISIBILITYMAP_VALID_BITS, 5, 0);
  page p;
  ASSERT_TRUE(apply(record, map_page(0), p));
  EXPECT_EQ(p.data[25], std::byte{0x0C});
  EXPECT_EQ(pg::page_lower(p), 24u);
  EXPECT_EQ(pg::page_lsn(p), static_cast<const pg::record&>(record).end);
}

TEST(visibility, bits_that_are_set_already_leave_the_map_page_alone) {
  const auto record = a_visible(VISIBILITYMAP_VALID_BITS, 5, 0);
  page p = full_map();
  ASSERT_TRUE(apply(record, map_page(0), p));
  EXPECT_EQ(p.data, full_map().data);
}

TEST(visibility, a_visible_record_flags_the_heap_page_and_keeps_its_lsn) {
  const auto record = a_visible(VISIBILITYMAP_ALL_VISIBLE, 5, 0);
  page p;
  pg::page_init(p, 0);
  pg::set_page_lsn(p, lsn{0x500});
  ASSERT_TRUE(apply(record, key::block(table, fork_number::main, 5), p));
  EXPECT_EQ(pg::page_flags(p) & PD_ALL_VISIBLE, PD_ALL_VISIBLE);
  EXPECT_EQ(pg::page_lsn(p), lsn{0x500});
}

TEST(visibility, a_visible_record_that_names_the_wrong_map_page_is_corrupt) {
  const auto record = a_visible(VISIBILITYMAP_ALL_VISIBLE, 5, 1);
  page p;
  const auto applied = apply(record, map_page(1), p);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, errc::corrupt);
}

TEST(visibility, a_map_page_that_the_record_does_not_touch_is_refused) {
  page p;
  EXPECT_FALSE(apply(an_update(0, 1, std::nullopt), map_page(0), p));
  const relation_id other{1663, 5, 99};
  EXPECT_FALSE(apply(an_update(XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED, 1, std::nullopt),
                     key::block(other, fork_number::vm, 0), p));
}

TEST(visibility, a_flag_without_its_block_is_corrupt) {
  xl_heap_insert insert{};
  insert.flags = XLH_INSERT_ALL_VISIBLE_CLEARED;
  made_record record(resource_manager::heap, XLOG_HEAP_INSERT);
  record.main(insert, SizeOfHeapInsert);
  remembering_sink sink;
  const auto ingested = ingest_heap(record, sink);
  ASSERT_FALSE(ingested);
  EXPECT_EQ(ingested.error().code, errc::corrupt);
}

}  // namespace
}  // namespace zenith::redo
