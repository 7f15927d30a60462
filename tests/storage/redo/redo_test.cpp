// apply(): what it does for every record, whichever resource manager it is of.
#include "storage/redo/redo.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "storage/postgres/page_items.hpp"

namespace zenith::redo {
namespace {

constexpr relation_id relation{1663, 5, 16384};

/// A record with one reference, to block 7 of the main fork.
std::unique_ptr<pg::record> record_of(pg::resource_manager rmgr, uint8_t info) {
  auto record = std::make_unique<pg::record>();
  record->start = lsn{0x1000};
  record->end = lsn{0x2000};
  record->rmgr = rmgr;
  record->info = info;
  record->block_count = 1;
  record->block_storage[0] = {.id = 0, .relation = relation, .block = 7};
  return record;
}

const key page_key = key::block(relation, fork_number::main, 7);

page initialised_page() {
  page p;
  pg::page_init(p, 16);
  return p;
}

void attach_image(pg::record& record, const page& image) {
  auto& reference = record.block_storage[0];
  reference.has_image = true;
  reference.image = {.data = image.view(), .apply = true};
}

TEST(apply, restores_an_image_for_any_resource_manager_and_sets_the_lsn) {
  const auto record = record_of(pg::resource_manager{200}, 0x00);
  const auto image = initialised_page();
  attach_image(*record, image);
  page p;
  p.data.fill(std::byte{0xFF});
  ASSERT_TRUE(apply(*record, page_key, p));
  EXPECT_EQ(pg::page_lsn(p), lsn{0x2000});
  pg::set_page_lsn(p, lsn{});
  EXPECT_EQ(p.data, image.data);
}

TEST(apply, leaves_an_image_of_a_new_page_without_an_lsn) {
  const auto record = record_of(pg::resource_manager::xlog, 0xB0);
  const page zeros;
  attach_image(*record, zeros);
  page p = initialised_page();
  ASSERT_TRUE(apply(*record, page_key, p));
  EXPECT_EQ(p.data, zeros.data);
}

TEST(apply, leaves_a_page_alone_that_has_seen_the_record) {
  const auto record = record_of(pg::resource_manager::btree, 0x00);
  page p = initialised_page();
  pg::set_page_lsn(p, lsn{0x2000});
  const page before = p;
  ASSERT_TRUE(apply(*record, page_key, p));
  EXPECT_EQ(p.data, before.data);
}

TEST(apply, starts_from_zeros_where_the_record_initialises) {
  const auto record = record_of(pg::resource_manager::generic, 0x00);
  record->block_storage[0].will_init = true;
  page p;
  p.data.fill(std::byte{0xFF});
  ASSERT_TRUE(apply(*record, page_key, p));
  pg::set_page_lsn(p, lsn{});
  EXPECT_EQ(p.data, page{}.data);
}

TEST(apply, refuses_an_extensions_own_records_and_names_record_and_page) {
  const auto record = record_of(pg::resource_manager{200}, 0x10);
  page p = initialised_page();
  const auto applied = apply(*record, page_key, p);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, errc::unsupported);
  EXPECT_NE(applied.error().message.find("200"), std::string::npos) << applied.error().message;
  EXPECT_NE(applied.error().message.find("0/1000"), std::string::npos) << applied.error().message;
  EXPECT_NE(applied.error().message.find(to_string(page_key)), std::string::npos)
      << applied.error().message;
}

TEST(apply, refuses_a_page_that_the_record_does_not_name) {
  for (const auto rmgr : {pg::resource_manager::btree, pg::resource_manager::sequence,
                          pg::resource_manager::generic}) {
    const auto record = record_of(rmgr, 0x00);
    page p = initialised_page();
    const auto applied = apply(*record, key::block(relation, fork_number::main, 8), p);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, errc::corrupt);
  }
}

TEST(apply, lets_gist_finish_the_split_of_a_page_that_it_restored) {
  const auto record = record_of(pg::resource_manager::gist, 0x00);
  record->block_storage[0].id = 1;  // the left half of the split that PAGE_UPDATE completes
  auto image = initialised_page();
  constexpr size_t flags_at = page_size_bytes - 4;
  constexpr uint16_t leaf = 1, follow_right = 8;
  store<uint16_t>(image.begin() + flags_at, leaf | follow_right);
  attach_image(*record, image);
  page p;
  ASSERT_TRUE(apply(*record, page_key, p));
  EXPECT_EQ(load<uint16_t>(p.begin() + flags_at), leaf);
  // Its node sequence number: the record's end, upper half first.
  EXPECT_EQ(load<uint32_t>(p.begin() + page_size_bytes - 16), 0u);
  EXPECT_EQ(load<uint32_t>(p.begin() + page_size_bytes - 12), 0x2000u);
}

TEST(apply, refuses_keys_that_name_no_page) {
  const auto record = record_of(pg::resource_manager::btree, 0x00);
  page p;
  const auto applied = apply(*record, key::next_oid(), p);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, errc::invalid_argument);
}

TEST(apply, refuses_a_generic_change_that_leaves_the_page) {
  const auto record = record_of(pg::resource_manager::generic, 0x00);
  const std::array<uint16_t, 3> delta{8191, 2, 0xFFFF};
  record->block_storage[0].data = std::as_bytes(std::span{delta});
  page p = initialised_page();
  const auto applied = apply(*record, page_key, p);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, errc::corrupt);
}

}  // namespace
}  // namespace zenith::redo
