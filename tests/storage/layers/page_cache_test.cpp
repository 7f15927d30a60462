// page_cache: which page is found, and that it stays within its bound.
#include "storage/layers/page_cache.hpp"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace zenith::layers {
namespace {

const key block = key::block({1663, 5, 16384}, fork_number::main, 3);

page page_of(uint8_t fill) {
  page p;
  p.data.fill(std::byte{fill});
  return p;
}

TEST(page_cache, finds_the_newest_page_at_or_before_an_lsn) {
  page_cache cache(1 << 20);
  cache.put(1, block, lsn{100}, page_of(1));
  cache.put(1, block, lsn{300}, page_of(3));
  cache.put(1, block, lsn{200}, page_of(2));
  EXPECT_FALSE(cache.find(1, block, lsn{99}));
  EXPECT_EQ(cache.find(1, block, lsn{100})->data->data[5], std::byte{1});
  EXPECT_EQ(cache.find(1, block, lsn{299})->newest, lsn{200});
  EXPECT_EQ(cache.find(1, block, lsn{9000})->data->data[5], std::byte{3});
  EXPECT_FALSE(cache.find(2, block, lsn{9000})) << "another layer's pages are others";
  EXPECT_FALSE(cache.find(1, key::block({1663, 5, 16384}, fork_number::main, 4), lsn{9000}));
}

TEST(page_cache, never_holds_more_than_its_bound) {
  page_cache cache(32 * sizeof(page));
  for (block_number i = 0; i < 1000; ++i)
    cache.put(1, key::block({1, 2, 3}, fork_number::main, i), lsn{8}, page_of(1));
  EXPECT_LE(cache.size_bytes(), 32 * sizeof(page));
  EXPECT_GT(cache.size_bytes(), 0u);
}

TEST(page_cache, a_page_that_is_used_stays_while_others_come_and_go) {
  page_cache cache(8 * sizeof(page));
  cache.put(1, block, lsn{8}, page_of(7));
  for (block_number i = 100; i < 150; ++i) {
    ASSERT_TRUE(cache.find(1, block, lsn{8}));
    cache.put(1, key::block({1, 2, 3}, fork_number::main, i), lsn{8}, page_of(1));
  }
}

TEST(page_cache, without_room_keeps_nothing) {
  page_cache cache(0);
  cache.put(1, block, lsn{8}, page_of(7));
  EXPECT_FALSE(cache.find(1, block, lsn{8}));
}

TEST(page_cache, many_threads_get_whole_pages) {
  page_cache cache(64 * sizeof(page));
  std::atomic<int> wrong{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const auto n = static_cast<block_number>(random() % 200);
      const key k = key::block({1, 2, 3}, fork_number::main, n);
      if (const auto found = cache.find(1, k, lsn{8})) {
        if (found->data->data[0] != std::byte(n) || found->data->data[8191] != std::byte(n))
          ++wrong;
      } else {
        cache.put(1, k, lsn{8}, page_of(static_cast<uint8_t>(n)));
      }
    }
  };
  std::thread first(work, 1);
  std::thread second(work, 2);
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(cache.hits(), 0u);
}

}  // namespace
}  // namespace zenith::layers
