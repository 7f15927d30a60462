// WAL read from the files of timelines that nobody has open.
#include "storage/wal/stored_wal.hpp"

#include <gtest/gtest.h>

#include <random>

#include "storage/wal/segments.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::wal {
namespace {

using zenith::testing::memory_file_system;

constexpr uint32_t segment_bytes = 1u << 20;

/// A line of timelines, each with random bytes as WAL from where it left the one before it.
class stored_wal_test : public ::testing::Test {
 protected:
  stored_wal_test() : all_(segment_bytes) {}

  static path folder_of(uint32_t number) { return "timeline" + std::to_string(number) + "/wal"; }

  /// Appends the WAL of one more timeline, on a pg_timeline of its own.
  void add_timeline(size_t size_bytes) {
    const auto number = static_cast<uint32_t>(parts_.size() + 1);
    const lsn start{all_.size()};
    wal_directory::parameters how;
    how.files = &files_;
    how.directory = folder_of(number);
    how.identity = {system_identifier{1}, segment_bytes};
    how.start = start;
    how.history = {{pg_timeline{number}, start}};
    how.before = parts_.empty() ? nullptr : parts_.back();
    auto opened = wal_directory::open(std::move(how));
    ASSERT_TRUE(opened) << opened.error().message;
    bytes more(size_bytes);
    for (auto& byte : more) byte = static_cast<std::byte>(random_());
    ASSERT_TRUE((*opened)->append(start, more));
    ASSERT_TRUE((*opened)->sync());
    all_.insert(all_.end(), more.begin(), more.end());
    parts_.push_back(part_of(number, start, (*opened)->end()));
  }

  std::shared_ptr<const stored_wal> part_of(uint32_t number, lsn start, lsn end) {
    stored_wal::parameters how;
    how.files = &files_;
    how.directory = folder_of(number);
    how.segment_size_bytes = segment_bytes;
    how.history = {{pg_timeline{number}, start}};
    how.begin = start;
    how.end = end;
    how.before = parts_.empty() ? nullptr : parts_.back();
    return std::make_shared<const stored_wal>(std::move(how));
  }

  void expect_reads(const wal_source& source, lsn at, size_t size_bytes) {
    bytes found(size_bytes);
    const auto read = source.read(at, found);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(std::equal(found.begin(), found.end(), all_.begin() + at.value()));
  }

  memory_file_system files_;
  std::mt19937 random_{5};
  bytes all_;  // by LSN
  std::vector<std::shared_ptr<const stored_wal>> parts_;
};

TEST_F(stored_wal_test, reads_across_segments_and_timelines) {
  for (int i = 0; i < 20; ++i) add_timeline(1 + random_() % (segment_bytes * 3 / 4));
  const stored_wal& newest = *parts_.back();
  EXPECT_EQ(newest.begin(), lsn{segment_bytes});
  EXPECT_EQ(newest.end(), lsn{all_.size()});
  for (int i = 0; i < 200; ++i) {
    const size_t at = segment_bytes + random_() % (all_.size() - segment_bytes);
    const size_t most = std::min<size_t>(all_.size() - at, 3 * segment_bytes);
    expect_reads(newest, lsn{at}, random_() % (most + 1));
  }
}

TEST_F(stored_wal_test, refuses_what_lies_outside) {
  add_timeline(1000);
  bytes two(2);
  const auto before = parts_.back()->read(lsn{segment_bytes - 1}, two);
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, errc::out_of_range);
  const auto after = parts_.back()->read(lsn{segment_bytes + 999}, two);
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, errc::out_of_range);
}

TEST_F(stored_wal_test, names_the_segment_that_is_not_kept_any_more) {
  add_timeline(3 * segment_bytes);
  const path gone = folder_of(1) / "000000010000000000000002";
  ASSERT_TRUE(files_.remove(gone));
  expect_reads(*parts_.back(), lsn{segment_bytes}, segment_bytes);
  expect_reads(*parts_.back(), lsn{3 * segment_bytes}, segment_bytes);
  bytes some(10);
  const auto read = parts_.back()->read(lsn{3 * segment_bytes - 5}, some);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, errc::not_found);
  EXPECT_NE(read.error().message.find(gone.string()), std::string::npos) << read.error().message;
}

TEST(segment_candidates_of, a_history_are_the_newest_first_up_to_where_the_next_begins) {
  const std::vector<timeline_switch> history = {{pg_timeline{1}, lsn{100}},
                                                {pg_timeline{2}, lsn{250}},
                                                {pg_timeline{4}, lsn{260}},
                                                {pg_timeline{5}, lsn{400}}};
  const auto found = segment_candidates(history, lsn{200}, lsn{300});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].number, pg_timeline{4});
  EXPECT_EQ(found[0].until, lsn{300});
  EXPECT_EQ(found[1].number, pg_timeline{2});
  EXPECT_EQ(found[1].until, lsn{260});
  EXPECT_EQ(found[2].number, pg_timeline{1});
  EXPECT_EQ(found[2].until, lsn{250});
}

}  // namespace
}  // namespace zenith::wal
