// The memory budget: who is asked to freeze, who waits, and that a thousand timelines stay below
// it.
#include "storage/layers/memory_budget.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

#include "storage/layers/memory_layer.hpp"
#include "storage/layers/memory_shares.hpp"

namespace zenith::layers {
namespace {

using account_ptr = std::unique_ptr<memory_budget::account>;

TEST(memory_shares, leave_an_eighth_and_let_one_timeline_have_several_layers) {
  for (const uint64_t limit : {uint64_t{64} << 20, uint64_t{1} << 30, uint64_t{1} << 40}) {
    const memory_shares shares = share_memory(limit, uint64_t{64} << 20);
    EXPECT_LE(shares.page_cache_bytes + shares.block_cache_bytes + shares.layers_bytes,
              limit - limit / 8);
    EXPECT_GE(shares.page_cache_bytes, limit / 5);
    EXPECT_LE(shares.open_layer_bytes * 4, shares.layers_bytes);
    EXPECT_LE(shares.open_layer_bytes, uint64_t{64} << 20);
  }
  EXPECT_EQ(share_memory(uint64_t{1} << 30, uint64_t{64} << 20).open_layer_bytes,
            uint64_t{64} << 20);
}

TEST(memory_budget, asks_the_largest_open_layer_first_and_only_as_many_as_needed) {
  const auto budget = memory_budget::make(1000);
  int told = 0;
  const auto count = [&] { ++told; };
  const account_ptr small = budget->join(count);
  const account_ptr large = budget->join(count);
  const account_ptr middle = budget->join(count);
  small->set({100, 0, 0});
  large->set({250, 0, 0});
  middle->set({150, 0, 0});
  EXPECT_FALSE(large->has_to_freeze());
  small->set({101, 0, 0});
  EXPECT_TRUE(large->has_to_freeze());
  EXPECT_FALSE(middle->has_to_freeze() || small->has_to_freeze());
  EXPECT_EQ(told, 1);
  // It grows a little before it does.
  large->set({260, 0, 0});
  EXPECT_TRUE(large->has_to_freeze());
  large->set({10, 260, 0});
  EXPECT_FALSE(large->has_to_freeze());
  EXPECT_EQ(budget->used_bytes(), 521u);
  EXPECT_EQ(told, 1);
}

TEST(memory_budget, makes_all_wait_where_it_is_spent_and_tells_them_when_it_is_not) {
  const auto budget = memory_budget::make(1000);
  int told = 0;
  const account_ptr writer = budget->join([&] { ++told; });
  const account_ptr other = budget->join([] {});
  writer->set({100, 800, 0});
  other->set({50, 0, 0});
  EXPECT_FALSE(writer->has_to_wait());
  other->set({101, 0, 0});
  EXPECT_TRUE(writer->has_to_wait());
  other->set({200, 0, 0});
  EXPECT_EQ(told, 0);
  writer->set({100, 400, 0});
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(writer->has_to_wait());
}

TEST(memory_budget, one_that_closes_gives_back_its_part) {
  const auto budget = memory_budget::make(1000);
  bool told = false;
  const account_ptr stays = budget->join([&] { told = true; });
  account_ptr goes = budget->join([] {});
  goes->set({600, 500, 0});
  EXPECT_TRUE(goes->has_to_freeze());
  EXPECT_TRUE(stays->has_to_wait());
  goes = nullptr;
  EXPECT_TRUE(told);
  EXPECT_FALSE(stays->has_to_wait());
  EXPECT_EQ(budget->used_bytes(), 0u);
  stays->set({400, 0, 0});
  EXPECT_FALSE(stays->has_to_freeze());
}

TEST(memory_budget, tells_what_nobody_takes) {
  uint64_t unused = 0;
  const auto budget = memory_budget::make(1000, [&](uint64_t bytes) { unused = bytes; });
  EXPECT_EQ(unused, 1000u);
  const account_ptr one = budget->join([] {});
  account_ptr other = budget->join([] {});
  one->set({100, 200, 30});
  EXPECT_EQ(unused, 670u);
  other->set({500, 300, 0});
  EXPECT_EQ(unused, 0u);
  other = nullptr;
  EXPECT_EQ(unused, 670u);
}

TEST(memory_budget, what_is_only_read_counts_for_a_quarter_at_most) {
  const auto budget = memory_budget::make(1000);
  const account_ptr one = budget->join([] {});
  one->set({300, 400, 100000});
  EXPECT_FALSE(one->has_to_wait());
  one->set({300, 451, 100000});
  EXPECT_TRUE(one->has_to_wait());
}

// What a timeline actor does with its store, for many of them, and one writer of files.
TEST(memory_budget, a_thousand_timelines_stay_below_the_bound) {
  struct timeline {
    std::shared_ptr<memory_layer> open;
    std::deque<std::shared_ptr<memory_layer>> frozen;
    account_ptr account;
    uint64_t end = 8;
  };
  constexpr size_t count = 1000;
  const uint64_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const bytes value(3000);
  constexpr uint64_t limit = uint64_t{32} << 20;
  const auto budget = memory_budget::make(limit);
  std::vector<timeline> all(count);
  for (timeline& one : all) {
    one.open = std::make_shared<memory_layer>(lsn{8});
    one.account = budget->join([] {});
  }
  const auto tell = [](timeline& one) {
    memory_budget::usage now;
    now.open_bytes = one.open->versions() == 0 ? 0 : one.open->size_bytes();
    for (const auto& layer : one.frozen) now.frozen_bytes += layer->size_bytes();
    one.account->set(now);
  };
  uint64_t most = 0;
  uint64_t frozen_layers = 0;
  uint64_t waits = 0;
  for (int step = 0; step < 10'000; ++step) {
    // A few timelines get most of the work.
    timeline& one = all[random() % (random() % 4 == 0 ? count : 8)];
    if (one.account->has_to_wait()) {
      ++waits;
      for (timeline& other : all) {
        if (other.frozen.empty()) continue;
        other.frozen.pop_front();
        tell(other);
      }
    }
    ASSERT_FALSE(one.account->has_to_wait());
    for (int i = 0; i < 4; ++i) {
      one.end += 8;
      one.open->put_value(key::next_oid(), lsn{one.end}, value);
    }
    one.open->publish(lsn{one.end});
    tell(one);
    for (timeline& other : all) {
      if (!other.account->has_to_freeze()) continue;
      other.frozen.push_back(other.open);
      other.open = std::make_shared<memory_layer>(lsn{other.end});
      ++frozen_layers;
      tell(other);
    }
    most = std::max(most, budget->used_bytes());
  }
  EXPECT_GT(frozen_layers, 10u);
  EXPECT_GT(waits, 0u);
  // One append of one timeline may come on top, with what its tables grow by.
  EXPECT_LE(most, limit + (uint64_t{4} << 20));
}

}  // namespace
}  // namespace zenith::layers
