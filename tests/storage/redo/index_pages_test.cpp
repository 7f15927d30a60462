// Redo of index pages that no server makes in the time of a test: indexes that are very large, or
// older than PostgreSQL 9.4. Records and pages are made by hand, as the server's own code has them.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/gin_parts.hpp"
#include "storage/redo/hash_parts.hpp"
#include "tests/support/redo_records.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/ginblock.h>
#include <access/ginxlog.h>
#include <access/hash.h>
#include <access/hash_xlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

using pg::resource_manager;
using testing::made_record;

const relation_id index_files{1663, 5, 16400};
constexpr size_t contents_at = 24;

key block_key(block_number block) { return key::block(index_files, fork_number::main, block); }

// A bitmap page has a bit for each of 32768 overflow pages; these were all in use.
constexpr uint32_t bits_per_bitmap = 4096 * 8;
constexpr block_number left_block = 40'000, bitmap_block = 50'000, added_block = 50'001;

HashMetaPageData& meta_of(page& p) {
  return *reinterpret_cast<HashMetaPageData*>(p.begin() + contents_at);
}

page full_metapage() {
  page p;
  hash_index::init_page(p, InvalidBlockNumber, InvalidBucket, LH_META_PAGE);
  HashMetaPageData& meta = meta_of(p);
  meta.hashm_magic = HASH_MAGIC;
  meta.hashm_version = HASH_VERSION;
  meta.hashm_bmsize = bits_per_bitmap / 8;
  meta.hashm_bmshift = 15;
  meta.hashm_ovflpoint = 20;
  meta.hashm_spares[20] = bits_per_bitmap;
  meta.hashm_firstfree = bits_per_bitmap;
  meta.hashm_nmaps = 1;
  meta.hashm_mapp[0] = 3;
  return p;
}

// As _hash_addovflpage logs it where it made a new bitmap page.
made_record adds_overflow_and_bitmap_page() {
  xl_hash_add_ovfl_page fixed{};
  fixed.bmsize = bits_per_bitmap / 8;
  fixed.bmpage_found = false;
  made_record record(resource_manager::hash, XLOG_HASH_ADD_OVFL_PAGE);
  record.xid(0).main(fixed, SizeOfHashAddOvflPage);
  record.block(0, index_files, added_block).will_init().data_of(uint32_t{777});
  record.block(1, index_files, left_block);
  record.block(3, index_files, bitmap_block).will_init();
  record.block(4, index_files, 0).data_of(uint32_t{bits_per_bitmap + 2});
  return record;
}

TEST(hash_pages, an_overflow_page_behind_a_full_bitmap_brings_a_second_bitmap_page) {
  const auto record = adds_overflow_and_bitmap_page();

  page added;
  ASSERT_TRUE(apply(record, block_key(added_block), added));
  const auto* links = *hash_index::links_of(added);
  EXPECT_EQ(links->previous, left_block);
  EXPECT_EQ(links->next, InvalidBlockNumber);
  EXPECT_EQ(links->bucket, 777u);
  EXPECT_EQ(links->flags, LH_OVERFLOW_PAGE);

  page left;
  hash_index::init_page(left, 9, 777, LH_OVERFLOW_PAGE);
  ASSERT_TRUE(apply(record, block_key(left_block), left));
  EXPECT_EQ((*hash_index::links_of(left))->next, added_block);
  EXPECT_EQ((*hash_index::links_of(left))->previous, 9u);

  // All of its pages are in use from the start, also those that do not exist yet.
  page bitmap;
  bitmap.data.fill(std::byte{0x55});
  ASSERT_TRUE(apply(record, block_key(bitmap_block), bitmap));
  EXPECT_EQ((*hash_index::links_of(bitmap))->flags, LH_BITMAP_PAGE);
  EXPECT_EQ(pg::page_lower(bitmap), contents_at + bits_per_bitmap / 8);
  const auto bits = bitmap.view().subspan(contents_at, bits_per_bitmap / 8);
  EXPECT_TRUE(std::ranges::all_of(bits, [](std::byte b) { return b == std::byte{0xFF}; }));
  const auto rest = bitmap.view().subspan(contents_at + bits.size(), 4000);
  EXPECT_TRUE(std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; }));

  page meta = full_metapage();
  ASSERT_TRUE(apply(record, block_key(0), meta));
  EXPECT_EQ(meta_of(meta).hashm_firstfree, bits_per_bitmap + 2);
  EXPECT_EQ(meta_of(meta).hashm_spares[20], bits_per_bitmap + 2);
  EXPECT_EQ(meta_of(meta).hashm_nmaps, 2u);
  EXPECT_EQ(meta_of(meta).hashm_mapp[0], 3u);
  EXPECT_EQ(meta_of(meta).hashm_mapp[1], bitmap_block);
  for (const page* p : {&added, &left, &bitmap, &meta})
    EXPECT_EQ(pg::page_lsn(*p), static_cast<const pg::record&>(record).end);
}

TEST(hash_pages, a_metapage_with_no_room_for_a_bitmap_page_refuses_it) {
  page meta = full_metapage();
  meta_of(meta).hashm_nmaps = std::extent_v<decltype(HashMetaPageData::hashm_mapp)>;
  const auto refused = apply(adds_overflow_and_bitmap_page(), block_key(0), meta);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::corrupt);
}

TEST(hash_pages, ingest_puts_both_new_pages_and_the_fork_s_length) {
  testing::remembering_sink sink;
  sink.put_relation(index_files, fork_number::main, relation_state::of_base(left_block + 1));
  ASSERT_TRUE(ingest(adds_overflow_and_bitmap_page(), sink));
  EXPECT_EQ(sink.relations.at(key::size(index_files, fork_number::main))->blocks(),
            added_block + 1);
  for (const block_number block : {added_block, bitmap_block})
    EXPECT_EQ(std::ranges::count(
                  sink.records,
                  testing::remembering_sink::put{block_key(block), record_effect::initialises}),
              1);
}

struct tid {
  uint32_t block;
  uint16_t offset;
};

bytes stored(std::initializer_list<tid> tids) {
  bytes all;
  for (const tid& one : tids) {
    const ItemPointerData item{
        {static_cast<uint16_t>(one.block >> 16), static_cast<uint16_t>(one.block)}, one.offset};
    const auto* from = reinterpret_cast<const std::byte*>(&item);
    all.insert(all.end(), from, from + sizeof(item));
  }
  return all;
}

// A leaf of a posting tree as PostgreSQL before 9.4 left it: plain TIDs, counted in the special
// space, and a pd_lower that says nothing.
page old_leaf(std::initializer_list<tid> tids) {
  page p;
  pg::page_init(p, sizeof(gin::page_links));
  auto* const links = *gin::links_of(p);
  *links = {InvalidBlockNumber, static_cast<uint16_t>(tids.size()), GIN_DATA | GIN_LEAF};
  std::ranges::copy(stored(tids), p.begin() + gin::data_start);
  return p;
}

made_record changes_leaf(uint8_t segment, uint8_t action, byte_view more) {
  made_record record(resource_manager::gin, XLOG_GIN_VACUUM_DATA_LEAF_PAGE);
  record.block(0, index_files, 8).data_of(uint16_t{1}).data_of(segment).data_of(action).data(more);
  return record;
}

bytes posting_lists(const page& p) {
  const auto lists = p.view().subspan(gin::data_start, pg::page_lower(p) - gin::data_start);
  return {lists.begin(), lists.end()};
}

bytes bytes_of(std::initializer_list<unsigned> values) {
  bytes all;
  for (const unsigned value : values) all.push_back(static_cast<std::byte>(value));
  return all;
}

TEST(gin_pages, a_leaf_from_before_9_4_is_converted_before_it_is_changed) {
  page p = old_leaf({{1, 1}, {1, 2}, {5, 3}});
  bytes items = bytes_of({1, 0});  // a count of one
  std::ranges::copy(stored({{3, 7}}), std::back_inserter(items));
  const auto record = changes_leaf(0, GIN_SEGMENT_ADDITEMS, items);
  ASSERT_TRUE(apply(record, block_key(8), p));
  // The first TID, a length of 5, then the distances 1, 4101 and 4092 of block * 2048 + offset, in
  // groups of seven bits, and a byte to an even size (ginpostinglist.c).
  EXPECT_EQ(posting_lists(p), bytes_of({0, 0, 1, 0, 1, 0, 5, 0, 0x01, 0x85, 0x20, 0xFC, 0x1F, 0}));
  const auto* links = *gin::links_of(p);
  EXPECT_EQ(links->flags, GIN_DATA | GIN_LEAF | GIN_COMPRESSED);
  EXPECT_EQ(links->max_offset, 0);
  EXPECT_EQ(pg::page_lsn(p), static_cast<const pg::record&>(record).end);
}

TEST(gin_pages, an_empty_leaf_from_before_9_4_gets_its_first_segment) {
  page p = old_leaf({});
  const bytes segment = bytes_of({0, 0, 2, 0, 9, 0, 1, 0, 0x04, 0});
  ASSERT_TRUE(apply(changes_leaf(0, GIN_SEGMENT_INSERT, segment), block_key(8), p));
  EXPECT_EQ(posting_lists(p), segment);
}

TEST(gin_pages, a_leaf_from_before_9_4_with_more_tids_than_fit_or_out_of_order_is_refused) {
  page crowded = old_leaf({{1, 1}});
  (*gin::links_of(crowded))->max_offset = 1359;  // 8152 / 6, and one more
  page disordered = old_leaf({{2, 1}, {1, 1}});
  for (page* p : {&crowded, &disordered}) {
    const auto refused = apply(changes_leaf(0, GIN_SEGMENT_DELETE, {}), block_key(8), *p);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::corrupt);
  }
}

}  // namespace
}  // namespace zenith::redo
