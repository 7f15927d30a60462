// Tests of heap redo with records made by hand: what fits, and what must be refused.
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/heap_tuple.hpp"
#include "tests/support/redo_records.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/htup_details.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

using pg::resource_manager;
using testing::made_record;

const relation_id table{1663, 5, 16384};
constexpr block_number block = 7;
const key heap_page = key::block(table, fork_number::main, block);
constexpr size_t contents_at = 24;

/// What a record keeps of a tuple whose contents (one padding byte before them) are these.
bytes logged_tuple(std::string_view contents) {
  xl_heap_header header{};
  header.t_infomask2 = 2;
  header.t_infomask = HEAP_HASVARWIDTH | HEAP_XMAX_INVALID;
  header.t_hoff = contents_at;
  bytes logged(SizeOfHeapHeader + 1);
  std::memcpy(logged.data(), &header, SizeOfHeapHeader);
  const auto tail = as_bytes(contents);
  logged.insert(logged.end(), tail.begin(), tail.end());
  return logged;
}

made_record an_insert(uint16_t offset, std::string_view contents, lsn at = lsn{0x1000}) {
  xl_heap_insert insert{};
  insert.offnum = offset;
  made_record record(resource_manager::heap, XLOG_HEAP_INSERT, at);
  record.main(insert, SizeOfHeapInsert).block(0, table, block).data(logged_tuple(contents));
  return record;
}

page page_with(std::initializer_list<std::string_view> tuples) {
  page p;
  pg::page_init(p, 0);
  uint16_t offset = 0;
  for (const auto contents : tuples) {
    ++offset;
    EXPECT_TRUE(apply(an_insert(offset, contents, lsn{0x100u * offset}), heap_page, p));
  }
  return p;
}

tuple_header header_at(page& p, uint16_t offset) { return load_header(*tuple_at(p, offset)); }
std::string contents_of(page& p, uint16_t offset) {
  return std::string(as_text(*pg::item_at(p, offset)).substr(contents_at));
}

TEST(heap, an_insert_rebuilds_the_tuple_and_sets_the_lsn) {
  page p = page_with({"first"});
  const auto record = an_insert(2, "second");
  ASSERT_TRUE(apply(record, heap_page, p));
  EXPECT_EQ(pg::max_offset(p), 2);
  EXPECT_EQ(contents_of(p, 2), "second");
  const auto header = header_at(p, 2);
  EXPECT_EQ(header.xmin, 1000u);
  EXPECT_EQ(header.xmax, 0u);
  EXPECT_EQ(header.ctid_block_low, block);
  EXPECT_EQ(header.ctid_offset, 2);
  EXPECT_EQ(header.hoff, contents_at);
  EXPECT_EQ(pg::page_lsn(p), static_cast<const pg::record&>(record).end);
}

TEST(heap, an_insert_that_initialises_forgets_what_was_on_the_page) {
  page p = page_with({"old", "older"});
  auto record = an_insert(1, "new");
  record.get().info |= XLOG_HEAP_INIT_PAGE;
  record.will_init();
  ASSERT_TRUE(apply(record, heap_page, p));
  EXPECT_EQ(pg::max_offset(p), 1);
  EXPECT_EQ(contents_of(p, 1), "new");
}

TEST(heap, a_record_that_the_page_has_seen_changes_nothing) {
  page p = page_with({"first"});
  const page before = p;
  ASSERT_TRUE(apply(an_insert(2, "again", lsn{0x10}), heap_page, p));
  EXPECT_EQ(p.data, before.data);
}

TEST(heap, a_delete_marks_the_tuple_and_the_page) {
  page p = page_with({"a", "b"});
  xl_heap_delete deletion{};
  deletion.xmax = 77;
  deletion.offnum = 2;
  deletion.infobits_set = XLHL_KEYS_UPDATED;
  made_record record(resource_manager::heap, XLOG_HEAP_DELETE);
  record.xid(77).main(deletion, SizeOfHeapDelete).block(0, table, block);
  ASSERT_TRUE(apply(record, heap_page, p));
  const auto header = header_at(p, 2);
  EXPECT_EQ(header.xmax, 77u);
  EXPECT_EQ(header.infomask & HEAP_XMAX_INVALID, 0);
  EXPECT_EQ(header.infomask2 & HEAP_KEYS_UPDATED, HEAP_KEYS_UPDATED);
  EXPECT_EQ(load<uint32_t>(p.begin() + offsetof(PageHeaderData, pd_prune_xid)), 77u);
}

made_record a_hot_update(uint8_t flags, byte_view data) {
  xl_heap_update update{};
  update.old_xmax = 1000;
  update.old_offnum = 1;
  update.new_offnum = 2;
  update.flags = flags;
  made_record record(resource_manager::heap, XLOG_HEAP_HOT_UPDATE);
  record.main(update, SizeOfHeapUpdate).block(0, table, block).data(data);
  return record;
}

bytes shared_update(std::optional<uint16_t> prefix, std::optional<uint16_t> suffix,
                    std::string_view middle) {
  bytes data;
  for (const auto& length : {prefix, suffix})
    if (length) {
      data.resize(data.size() + 2);
      store(data.data() + data.size() - 2, *length);
    }
  const auto rest = logged_tuple(middle);
  data.insert(data.end(), rest.begin(), rest.end());
  return data;
}

TEST(heap, an_update_takes_prefix_and_suffix_from_the_old_tuple) {
  page p = page_with({"hello, old world"});
  const auto record = a_hot_update(XLH_UPDATE_PREFIX_FROM_OLD | XLH_UPDATE_SUFFIX_FROM_OLD,
                                   shared_update(7, 6, "brave new"));
  ASSERT_TRUE(apply(record, heap_page, p));
  EXPECT_EQ(contents_of(p, 2), "hello, brave new world");
  EXPECT_EQ(contents_of(p, 1), "hello, old world");
  EXPECT_EQ(header_at(p, 1).ctid_offset, 2);
  EXPECT_EQ(header_at(p, 1).infomask2 & HEAP_HOT_UPDATED, HEAP_HOT_UPDATED);
}

TEST(heap, a_shared_part_longer_than_the_old_tuple_is_corrupt) {
  for (const auto& data : {shared_update(17, 0, ""), shared_update(0, 41, "")}) {
    page p = page_with({"hello, old world"});
    const auto applied = apply(
        a_hot_update(XLH_UPDATE_PREFIX_FROM_OLD | XLH_UPDATE_SUFFIX_FROM_OLD, data), heap_page, p);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, errc::corrupt);
  }
}

TEST(heap, an_update_to_another_page_changes_each_page_alone) {
  xl_heap_update update{};
  update.old_xmax = 1000;
  update.old_offnum = 1;
  update.new_offnum = 2;
  made_record record(resource_manager::heap, XLOG_HEAP_UPDATE);
  record.main(update, SizeOfHeapUpdate)
      .block(0, table, block)
      .data(logged_tuple("new"))
      .block(1, table, 3);
  page old_page = page_with({"old"});
  page new_page = page_with({"other"});
  ASSERT_TRUE(apply(record, key::block(table, fork_number::main, 3), old_page));
  ASSERT_TRUE(apply(record, heap_page, new_page));
  EXPECT_EQ(pg::max_offset(old_page), 1);
  EXPECT_EQ(header_at(old_page, 1).ctid_block_low, block);
  EXPECT_EQ(header_at(old_page, 1).ctid_offset, 2);
  EXPECT_EQ(contents_of(new_page, 2), "new");
}

TEST(heap, pruning_redirects_kills_and_frees_line_pointers) {
  page p = page_with({"a", "b", "c", "d"});
  xl_heap_prune prune{};
  prune.nredirected = 1;
  prune.ndead = 1;
  made_record record(resource_manager::heap2, XLOG_HEAP2_PRUNE);
  record.main(prune, SizeOfHeapPrune).block(0, table, block);
  for (const uint16_t number : {1, 2, 3, 4}) record.data_of(number);
  ASSERT_TRUE(apply(record, heap_page, p));
  EXPECT_EQ(pg::line_pointer_at(p, 1)->flags, LP_REDIRECT);
  EXPECT_EQ(pg::line_pointer_at(p, 1)->offset, 2);
  EXPECT_EQ(contents_of(p, 2), "b");
  EXPECT_EQ(pg::line_pointer_at(p, 3)->flags, LP_DEAD);
  // The last one is unused now, so that the array ends before it.
  EXPECT_EQ(pg::max_offset(p), 3);
}

TEST(heap, an_inplace_update_of_another_length_is_corrupt) {
  page p = page_with({"12345678"});
  xl_heap_inplace inplace{};
  inplace.offnum = 1;
  made_record fits(resource_manager::heap, XLOG_HEAP_INPLACE);
  fits.main(inplace, SizeOfHeapInplace).block(0, table, block).data(as_bytes("abcdefgh"));
  ASSERT_TRUE(apply(fits, heap_page, p));
  EXPECT_EQ(contents_of(p, 1), "abcdefgh");
  made_record longer(resource_manager::heap, XLOG_HEAP_INPLACE, lsn{0x2000});
  longer.main(inplace, SizeOfHeapInplace).block(0, table, block).data(as_bytes("abcdefghi"));
  EXPECT_FALSE(apply(longer, heap_page, p));
}

TEST(heap, an_insert_past_the_line_pointers_is_corrupt_and_names_record_and_page) {
  page p = page_with({"a"});
  const auto applied = apply(an_insert(3, "c"), heap_page, p);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, errc::corrupt);
  EXPECT_NE(applied.error().message.find("0/1000"), std::string::npos);
  EXPECT_NE(applied.error().message.find("16384 main block 7"), std::string::npos);
}

TEST(heap, records_cut_at_every_length_are_errors_or_changes_never_crashes) {
  const auto whole = a_hot_update(XLH_UPDATE_PREFIX_FROM_OLD | XLH_UPDATE_SUFFIX_FROM_OLD,
                                  shared_update(7, 6, "brave new"));
  const page before = page_with({"hello, old world"});
  const pg::record& record = whole;
  for (size_t kept = 0; kept < record.main_data.size(); ++kept) {
    auto cut = record;
    cut.main_data = record.main_data.first(kept);
    page p = before;
    EXPECT_FALSE(apply(cut, heap_page, p));
  }
  for (size_t kept = 0; kept < record.blocks()[0].data.size(); ++kept) {
    auto cut = record;
    cut.block_storage[0].data = record.blocks()[0].data.first(kept);
    page p = before;
    EXPECT_EQ(apply(cut, heap_page, p).has_value(), kept >= 4 + SizeOfHeapHeader + 1);
  }
}

// Every kind of record over random bytes and a damaged page; sanitizers do the judging.
TEST(heap, random_records_on_damaged_pages_are_refused_or_applied) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto any = [&random](unsigned below) {
    return std::uniform_int_distribution<unsigned>(0, below - 1)(random);
  };
  size_t applied = 0;
  for (int round = 0; round < 20000; ++round) {
    const auto rmgr = any(2) ? resource_manager::heap : resource_manager::heap2;
    made_record record(rmgr, static_cast<uint8_t>(any(16) << 4));
    const auto put_random = [&](auto&& put, unsigned most) {
      for (unsigned left = any(most); left > 0; --left)
        put(static_cast<uint8_t>(any(any(4) ? 4 : 256)));
    };
    put_random([&](uint8_t value) { record.main(value); }, 24);
    record.block(static_cast<uint8_t>(any(2)), table, block);
    put_random([&](uint8_t value) { record.data_of(value); }, 64);
    page p = page_with({"hello", "brave", "new", "world"});
    pg::set_page_lsn(p, lsn{0});
    for (unsigned damage = any(4); damage > 0; --damage)
      p.data[any(any(2) ? 48 : 8192)] = static_cast<std::byte>(any(256));
    pg::set_page_lsn(p, lsn{0});
    applied += apply(record, heap_page, p).has_value();
  }
  EXPECT_GT(applied, 0u);
}

}  // namespace
}  // namespace zenith::redo
