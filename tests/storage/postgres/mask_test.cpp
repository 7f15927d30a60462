// Masks, where a real server's pages cannot show it: damaged pages, and each resource manager.
#include "storage/postgres/mask.hpp"

#include <gtest/gtest.h>

#include <random>

#include "storage/postgres/page_items.hpp"

namespace zenith::pg {
namespace {

TEST(mask, hides_lsn_checksum_and_free_space_but_nothing_of_a_tuple) {
  page p;
  page_init(p, 16);
  bytes tuple(40, std::byte{1});
  ASSERT_TRUE(page_add_item(p, tuple, 1, add_item_mode::insert, false));
  page other = p;
  set_page_lsn(other, lsn{0x123456});
  other.begin()[page_lower(other) + 3] = std::byte{9};
  page first = p, second = other;
  mask_page(resource_manager::generic, 0, first);
  mask_page(resource_manager::generic, 0, second);
  EXPECT_EQ(first.data, second.data);
  other.begin()[page_upper(other)] = std::byte{9};
  second = other;
  mask_page(resource_manager::generic, 0, second);
  EXPECT_NE(first.data, second.data);
}

TEST(mask, takes_any_bytes_as_a_page) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    page p;
    if (round % 2 == 0) page_init(p, 16);
    for (auto& byte : p.data)
      if (random() % 16 == 0) byte = static_cast<std::byte>(random());
    for (unsigned rmgr = 0; rmgr < 24; ++rmgr) {
      page masked = p;
      mask_page(static_cast<resource_manager>(rmgr), 7, masked);
      EXPECT_EQ(page_lsn(masked), lsn{});
    }
  }
}

TEST(mask, ten_resource_managers_have_one) {
  unsigned count = 0;
  for (unsigned rmgr = 0; rmgr < 256; ++rmgr)
    count += has_mask(static_cast<resource_manager>(rmgr));
  EXPECT_EQ(count, 10u);
}

}  // namespace
}  // namespace zenith::pg
