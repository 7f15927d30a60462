// history_cache: which entry is found, what it costs, and that the cache stays within its bound.
#include "storage/layers/history_cache.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "storage/layers/page_cache.hpp"

namespace zenith::layers {
namespace {

constexpr history_id one{1};
constexpr history_id other{2};

key block_key(block_number block) { return key::block({1663, 5, 16384}, fork_number::main, block); }

page_entries::held_ptr held(uint8_t fill) {
  page p;
  p.data.fill(std::byte{fill});
  return cached_history::held(p);
}

page_entries::entry made(uint64_t newest, uint64_t known_until, uint8_t fill) {
  return {lsn{newest}, lsn{known_until}, held(fill)};
}

int fill_of(const page_entries::entry& found) {
  return std::to_integer<int>(found.data->value.data[5]);
}

TEST(history_cache, finds_the_entry_with_the_newest_version_at_or_before_an_lsn) {
  page_entries cache(1 << 20);
  const key k = block_key(3);
  cache.put(one, k, made(100, 150, 1));
  cache.put(one, k, made(300, 300, 3));
  cache.put(one, k, made(200, 299, 2));
  EXPECT_FALSE(cache.find(one, k, lsn{99}));
  EXPECT_EQ(fill_of(*cache.find(one, k, lsn{100})), 1);
  EXPECT_EQ(fill_of(*cache.find(one, k, lsn{199})), 1);
  EXPECT_EQ(cache.find(one, k, lsn{199})->known_until, lsn{150});
  EXPECT_EQ(cache.find(one, k, lsn{299})->newest, lsn{200});
  EXPECT_EQ(fill_of(*cache.find(one, k, lsn{9000})), 3);
  EXPECT_FALSE(cache.find(other, k, lsn{9000})) << "another history's states are others";
  EXPECT_FALSE(cache.find(one, block_key(4), lsn{9000}));
}

TEST(history_cache, what_is_known_of_an_entry_rises_and_never_falls) {
  page_entries cache(1 << 20);
  const key k = block_key(3);
  cache.put(one, k, made(100, 150, 1));
  cache.put(one, k, made(100, 180, 1));
  cache.put(one, k, made(100, 120, 1));
  EXPECT_EQ(cache.find(one, k, lsn{100})->known_until, lsn{180});
  EXPECT_EQ(cache.misses(), 1u);
}

TEST(history_cache, a_value_that_many_histories_share_is_counted_once) {
  page_entries cache(64 * 1024);
  const auto entry = made(100, 150, 1);
  cache.put(one, block_key(3), entry);
  const size_t alone = cache.size_bytes();
  for (uint64_t i = 0; i < 20; ++i) cache.put(history_id{100 + i}, block_key(3), entry);
  EXPECT_LT(cache.size_bytes(), alone + 20 * 512);
  for (uint64_t i = 0; i < 20; ++i)
    EXPECT_TRUE(cache.find(history_id{100 + i}, block_key(3), lsn{150}));
  // It is gone, and its bytes are, when the last of them is.
  for (block_number i = 100; i < 300; ++i) cache.put(one, block_key(i), made(8, 8, 2));
  EXPECT_LE(cache.size_bytes(), cache.limit_bytes());
  EXPECT_EQ(entry.data.use_count(), 1);
}

TEST(history_cache, never_holds_more_than_its_bound) {
  for (const size_t limit : {size_t{0}, size_t{20'000}, size_t{300'000}, size_t{5} << 20}) {
    page_entries cache(limit);
    for (block_number i = 0; i < 2000; ++i) {
      cache.put(one, block_key(i), made(8, 8, 1));
      ASSERT_LE(cache.size_bytes(), limit);
    }
    EXPECT_EQ(cache.size_bytes() > 0, limit > 0);
  }
}

TEST(history_cache, a_page_that_is_used_stays_while_others_come_and_go) {
  page_entries cache(8 * 9000);
  cache.put(one, block_key(3), made(8, 8, 7));
  for (block_number i = 100; i < 150; ++i) {
    ASSERT_TRUE(cache.find(one, block_key(3), lsn{8}));
    cache.put(one, block_key(i), made(8, 8, 1));
  }
}

TEST(history_cache, of_one_key_only_a_few_states_are_kept) {
  page_entries cache(10 << 20);
  for (uint64_t at = 100; at < 10'000; at += 100) cache.put(one, block_key(3), made(at, at, 1));
  EXPECT_LT(cache.size_bytes(), 10 * sizeof(page_entries::held));
  EXPECT_EQ(cache.find(one, block_key(3), lsn{10'000})->newest, lsn{9900});
}

TEST(history_cache, gives_what_a_map_of_all_that_was_put_gives_or_nothing) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (const size_t limit : {size_t{3} << 20, size_t{8} << 20}) {
    page_entries cache(limit);
    std::map<std::tuple<uint64_t, block_number, uint64_t>, uint8_t> all;
    for (int i = 0; i < 20'000; ++i) {
      const uint64_t history = random() % 3;
      const auto block = static_cast<block_number>(random() % 400);
      const uint64_t newest = 10 * (1 + random() % 10);
      const auto found = cache.find(history_id{history}, block_key(block), lsn{newest});
      if (found) {
        const auto expected = all.find({history, block, found->newest.value()});
        ASSERT_NE(expected, all.end());
        ASSERT_EQ(fill_of(*found), expected->second);
        ASSERT_LE(found->newest, lsn{newest});
      }
      const auto fill = static_cast<uint8_t>(random());
      const auto [place, is_new] = all.try_emplace({history, block, newest}, fill);
      cache.put(history_id{history}, block_key(block), made(newest, newest + 9, place->second));
    }
    EXPECT_GT(cache.hits(), 0u);
  }
}

TEST(history_cache, many_threads_get_whole_pages) {
  page_entries cache(64 * 9000);
  std::atomic<int> wrong{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const auto n = static_cast<block_number>(random() % 200);
      if (const auto found = cache.find(one, block_key(n), lsn{8})) {
        const page& p = found->data->value;
        if (p.data[0] != std::byte(n) || p.data[8191] != std::byte(n)) ++wrong;
      } else {
        cache.put(one, block_key(n), made(8, 8, static_cast<uint8_t>(n)));
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

TEST(page_cache, a_child_finds_what_its_ancestors_had_up_to_where_it_left) {
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  const history_list of_root = root_histories();
  const history_list of_child = child_histories(of_root, lsn{500});
  const history_list of_grandchild = child_histories(of_child, lsn{300});
  const cached_history root(cache, of_root);
  const cached_history child(cache, of_child);
  const cached_history grandchild(cache, of_grandchild);
  const key k = block_key(3);
  root.keep(k, made(100, 400, 1));
  root.keep(k, made(450, 900, 2));
  EXPECT_EQ(child.find_page(k, lsn{420})->known_until, lsn{400});
  EXPECT_EQ(child.find_page(k, lsn{900})->known_until, lsn{500});
  EXPECT_EQ(fill_of(*child.find_page(k, lsn{900})), 2);
  EXPECT_EQ(grandchild.find_page(k, lsn{900})->known_until, lsn{300});
  EXPECT_EQ(fill_of(*grandchild.find_page(k, lsn{900})), 1);

  // What a child makes of versions from before it left, others find as well; its own they do not.
  child.keep(block_key(4), made(200, 800, 4));
  EXPECT_EQ(root.find_page(block_key(4), lsn{900})->known_until, lsn{500});
  EXPECT_EQ(grandchild.find_page(block_key(4), lsn{900})->known_until, lsn{300});
  EXPECT_EQ(child.find_page(block_key(4), lsn{900})->known_until, lsn{800});
  child.keep(block_key(5), made(501, 800, 5));
  EXPECT_FALSE(root.find_page(block_key(5), lsn{900}));
  EXPECT_FALSE(grandchild.find_page(block_key(5), lsn{900}));
}

TEST(page_cache, a_chain_of_any_depth_looks_at_a_few_histories) {
  history_list histories = root_histories();
  for (uint64_t i = 0; i < 1000; ++i) histories = child_histories(histories, lsn{10'000 - i});
  EXPECT_EQ(histories.size(), histories_max);
  for (size_t i = 1; i < histories.size(); ++i)
    EXPECT_LE(histories[i].until, histories[i - 1].until);
}

TEST(page_cache, without_a_cache_nothing_is_found) {
  const cached_history off;
  EXPECT_FALSE(off.is_on());
  EXPECT_FALSE(off.find_page(block_key(3), lsn{100}));
  EXPECT_FALSE(off.find_size(block_key(3), lsn{100}));
}

}  // namespace
}  // namespace zenith::layers
