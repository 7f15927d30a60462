// stored_record: what is left of a record for one of its pages.
#include "storage/postgres/stored_record.hpp"

#include <gtest/gtest.h>

#include "tests/support/record_builder.hpp"

namespace zenith::pg {
namespace {

using testing::record_builder;

const relation_id heap{1663, 5, 16384};
const relation_id index_relation{1663, 5, 16390};

record_builder::image image_of(std::byte with, bool apply) {
  return {bytes(page_size_bytes - 100, with), 200, 100,
          static_cast<uint8_t>(testing::image_has_hole | (apply ? testing::image_apply : 0))};
}

bytes text(std::string_view from) {
  const byte_view view = as_bytes(from);
  return {view.begin(), view.end()};
}

bytes sample() {
  record_builder made(resource_manager::heap, 0x20, 77, lsn{0x1234});
  made.add({.id = 0, .relation = heap, .number = 7, .full_page = image_of(std::byte{1}, true)})
      .add({.id = 1,
            .relation = heap,
            .number = 8,
            .same_relation = true,
            .will_init = true,
            .data = text("data of 8")})
      .add({.id = 3,
            .relation = index_relation,
            .fork = fork_number::init,
            .number = 9,
            .full_page = image_of(std::byte{2}, false),
            .data = text("data of 9")})
      .origin(5)
      .toplevel_xid(70)
      .main_data(as_bytes("what happened"));
  return made.finish();
}

/// Both as decoded, the second one from what is stored of the first for the key.
struct both {
  explicit both(bytes raw, const key& k) : raw_bytes(std::move(raw)) {
    EXPECT_TRUE(decode_record(raw_bytes, lsn{100}, lsn{200}, whole));
    encode_for_page(whole, k, stored_bytes);
    const auto decoded = decode_record(stored_bytes, lsn{100}, lsn{200}, stored);
    EXPECT_TRUE(decoded) << decoded.error().message;
  }
  bytes raw_bytes;
  bytes stored_bytes;
  record whole;
  record stored;
};

void expect_same_but_images(const record& a, const record& b) {
  EXPECT_EQ(a.xid, b.xid);
  EXPECT_EQ(a.info, b.info);
  EXPECT_EQ(a.rmgr, b.rmgr);
  EXPECT_EQ(a.origin, b.origin);
  EXPECT_EQ(a.toplevel_xid, b.toplevel_xid);
  EXPECT_EQ(as_text(a.main_data), as_text(b.main_data));
  ASSERT_EQ(a.block_count, b.block_count);
  for (size_t i = 0; i < a.block_count; ++i) {
    const block_reference& one = a.block_storage[i];
    const block_reference& other = b.block_storage[i];
    EXPECT_EQ(one.id, other.id);
    EXPECT_EQ(one.page_key(), other.page_key());
    EXPECT_EQ(one.will_init, other.will_init);
    EXPECT_EQ(one.has_data, other.has_data);
    EXPECT_EQ(as_text(one.data), as_text(other.data));
  }
}

TEST(stored_record, of_images_only_the_applied_one_of_its_page_is_left) {
  const both seven(sample(), key::block(heap, fork_number::main, 7));
  expect_same_but_images(seven.whole, seven.stored);
  const block_reference& kept = seven.stored.block_storage[0];
  ASSERT_TRUE(kept.has_image);
  EXPECT_TRUE(kept.image.apply);
  EXPECT_EQ(kept.image.hole_offset, 200);
  EXPECT_EQ(kept.image.hole_length, 100);
  EXPECT_EQ(as_text(kept.image.data), as_text(seven.whole.block_storage[0].image.data));
  EXPECT_FALSE(seven.stored.block_storage[2].has_image);

  for (const key& k :
       {key::block(heap, fork_number::main, 8), key::block(index_relation, fork_number::init, 9),
        key::slru(slru_kind::xact, 0)}) {
    const both other(sample(), k);
    expect_same_but_images(other.whole, other.stored);
    for (const block_reference& block : other.stored.blocks()) EXPECT_FALSE(block.has_image);
    EXPECT_LT(other.stored_bytes.size(), 200u);
  }
}

TEST(stored_record, for_all_blocks_of_a_fork_the_images_of_each_are_left) {
  const both all(sample(), key::all_blocks(heap, fork_number::main));
  EXPECT_TRUE(all.stored.block_storage[0].has_image);
  EXPECT_FALSE(all.stored.block_storage[2].has_image);
}

TEST(stored_record, compressed_images_keep_the_length_of_their_hole) {
  const auto raw =
      record_builder(resource_manager::xlog, 0xb0)
          .add({.relation = heap,
                .full_page = record_builder::image{bytes(500), 300, 40,
                                                   testing::image_has_hole | testing::image_apply |
                                                       testing::image_lz4}})
          .finish();
  const both one(raw, key::block(heap, fork_number::main, 0));
  EXPECT_EQ(one.stored.block_storage[0].image.hole_length, 40);
  EXPECT_EQ(one.stored_bytes.size(), raw.size());
}

TEST(stored_record, what_a_checked_block_of_a_file_makes_needless_is_zero) {
  const both one(sample(), key::slru(slru_kind::xact, 0));
  EXPECT_EQ(one.stored.previous, lsn{});
  EXPECT_EQ(load<uint32_t>(one.stored_bytes.data() + 20), 0u);
}

TEST(stored_record, of_a_record_without_images_everything_but_crc_and_link_is_kept) {
  record whole;
  bytes raw = sample();
  ASSERT_TRUE(decode_record(raw, lsn{100}, lsn{200}, whole));
  EXPECT_FALSE(keeps_all(whole));
  raw = record_builder(resource_manager::heap, 0x20, 77, lsn{0x1234})
            .add({.id = 0, .relation = heap, .number = 7, .data = text("data of 7")})
            .add({.id = 1, .relation = heap, .number = 8, .same_relation = true})
            .origin(5)
            .toplevel_xid(70)
            .main_data(as_bytes("what happened"))
            .finish();
  ASSERT_TRUE(decode_record(raw, lsn{100}, lsn{200}, whole));
  EXPECT_TRUE(keeps_all(whole));
  bytes encoded;
  encode_for_page(whole, key::block(heap, fork_number::main, 7), encoded);
  EXPECT_NE(encoded, raw);
  clear_crc_and_link(raw);
  EXPECT_EQ(encoded, raw);
}

TEST(stored_record, long_main_data_and_none_come_back) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{255}, size_t{256}, size_t{70000}}) {
    record_builder made(resource_manager::heap, 0);
    if (size != 0) made.main_data(bytes(size, std::byte{9}));
    const both one(made.finish(), key::slru(slru_kind::xact, 0));
    EXPECT_EQ(one.stored.main_data.size(), size);
    EXPECT_EQ(one.stored_bytes.size(), one.raw_bytes.size());
  }
}

}  // namespace
}  // namespace zenith::pg
