// commit_index: LSNs by time as recovery_target_time finds them, times by LSN.
#include "storage/layers/commit_index.hpp"

#include <gtest/gtest.h>

#include <random>

namespace zenith::layers {
namespace {

TEST(commit_index, finds_the_first_end_later_than_a_time) {
  commit_index index;
  index.append(10, lsn{100}, lsn{108});
  index.append(20, lsn{120}, lsn{128});
  index.append(20, lsn{128}, lsn{136});
  index.append(30, lsn{136}, lsn{144});
  EXPECT_EQ(index.first_later_than(9, lsn::max())->start, lsn{100});
  EXPECT_EQ(index.first_later_than(10, lsn::max())->start, lsn{120});
  EXPECT_EQ(index.first_later_than(20, lsn::max())->start, lsn{136});
  EXPECT_EQ(index.first_later_than(20, lsn::max())->end, lsn{144});
  EXPECT_EQ(index.first_later_than(20, lsn::max())->time_us, 30);
  EXPECT_FALSE(index.first_later_than(30, lsn::max()));
  EXPECT_FALSE(index.first_later_than(20, lsn{143}));
  EXPECT_TRUE(index.first_later_than(20, lsn{144}));
}

TEST(commit_index, a_time_that_goes_back_does_not_hide_the_first_later_one) {
  commit_index index;
  index.append(50, lsn{8}, lsn{16});
  index.append(40, lsn{16}, lsn{24});
  index.append(60, lsn{24}, lsn{32});
  EXPECT_EQ(index.first_later_than(30, lsn::max())->start, lsn{8});
  EXPECT_EQ(index.first_later_than(45, lsn::max())->start, lsn{8});
  EXPECT_EQ(index.first_later_than(50, lsn::max())->start, lsn{24});
  EXPECT_EQ(index.newest_time(lsn{24}), 50);
  EXPECT_EQ(index.newest_time(lsn{31}), 50);
  EXPECT_EQ(index.newest_time(lsn{32}), 60);
  EXPECT_FALSE(index.newest_time(lsn{15}));
}

TEST(commit_index, agrees_with_a_search_from_the_start) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  commit_index index;
  std::vector<transaction_end> all;
  int64_t time = 0;
  for (uint64_t i = 1; i <= 500; ++i) {
    time += static_cast<int64_t>(random() % 20) - 5;
    all.push_back({time, lsn{i * 16}, lsn{i * 16 + 8}});
    index.append(time, all.back().start, all.back().end);
  }
  for (int64_t wanted = -50; wanted < time + 50; ++wanted) {
    const auto first =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.time_us > wanted; });
    const auto found = index.first_later_than(wanted, lsn::max());
    ASSERT_EQ(found.has_value(), first != all.end());
    if (found) ASSERT_EQ(found->start, first->start);
  }
}

TEST(commit_index, batches_hold_all_that_ended_up_to_an_lsn) {
  commit_index index;
  for (uint64_t i = 1; i <= 1300; ++i)
    index.append(static_cast<int64_t>(i % 7 == 0 ? i - 5 : i), lsn{i * 16}, lsn{i * 16 + 8});
  const auto batches = index.batches(lsn{1200 * 16 + 8});
  ASSERT_EQ(batches.size(), 3u);
  uint64_t i = 0;
  int64_t newest = no_time;
  for (const auto& one : batches) {
    const auto batch = decode_transaction_ends(one.encoded);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(one.first_end, batch->ends.front().end);
    EXPECT_EQ(batch->newest_before, newest);
    for (const transaction_end& end : batch->ends) {
      ++i;
      EXPECT_EQ(end.start, lsn{i * 16});
      EXPECT_EQ(end.end, lsn{i * 16 + 8});
    }
    newest = batch->newest();
    EXPECT_EQ(newest, index.newest_time(batch->ends.back().end));
  }
  EXPECT_EQ(i, 1200u);
  EXPECT_TRUE(index.batches(lsn{23}).empty());
}

}  // namespace
}  // namespace zenith::layers
