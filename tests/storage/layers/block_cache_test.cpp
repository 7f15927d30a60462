// block_cache: gives what was put and nothing else, and keeps to its bound.
#include "storage/layers/block_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "storage/layers/block.hpp"

namespace zenith::layers {
namespace {

TEST(block_cache, gives_what_was_put_there_or_nothing_and_keeps_to_its_bound) {
  for (const uint64_t seed : {1, 2}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    block_cache cache(seed == 1 ? 100'000 : size_t{3} << 20);
    std::map<std::pair<uint64_t, uint64_t>, block_ptr> put;
    size_t hits = 0;
    for (int i = 0; i < 100'000; ++i) {
      const std::pair id{1 + random() % 5, 8 * (random() % 2000)};
      if (random() % 2 == 0) {
        auto& known = put[id];
        if (known == nullptr) known = std::make_shared<const block>();
        cache.put(id.first, id.second, known, 1 + random() % 3000);
        ASSERT_LE(cache.size_bytes(), cache.limit_bytes());
      } else if (const block_ptr found = cache.find(id.first, id.second)) {
        ASSERT_TRUE(put.contains(id));
        ASSERT_EQ(found, put[id]);
        ++hits;
      }
    }
    EXPECT_GT(hits, 100u);
  }
}

TEST(block_cache, keeps_what_is_used_longer_than_what_is_not) {
  block_cache cache(100'000);
  const auto used = std::make_shared<const block>();
  cache.put(1, 0, used, 1000);
  for (uint64_t i = 1; i < 1000; ++i) {
    cache.put(1, i, std::make_shared<const block>(), 1000);
    ASSERT_EQ(cache.find(1, 0), used) << i;
  }
}

TEST(block_cache, takes_nothing_that_is_larger_than_its_bound) {
  block_cache cache(10'000);
  cache.put(1, 0, std::make_shared<const block>(), 10'001);
  EXPECT_EQ(cache.find(1, 0), nullptr);
  block_cache none(0);
  none.put(1, 0, std::make_shared<const block>(), 1);
  EXPECT_EQ(none.find(1, 0), nullptr);
  EXPECT_EQ(none.size_bytes(), 0u);
}

TEST(block_cache, threads_share_it) {
  block_cache cache(200'000);
  std::vector<block_ptr> blocks;
  for (int i = 0; i < 500; ++i) blocks.push_back(std::make_shared<const block>());
  std::atomic<int> wrong{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const size_t n = random() % blocks.size();
      const block_ptr found = cache.find(1, n);
      if (found == nullptr) cache.put(1, n, blocks[n], 1000);
      if (found != nullptr && found != blocks[n]) ++wrong;
    }
  };
  std::thread one(work, 1), two(work, 2);
  one.join(), two.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace zenith::layers
