// segments_fixture: a folder of segment files to be filled from a real server's WAL.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>

#include "storage/postgres/wal_page.hpp"
#include "storage/wal/segments.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/real_wal.hpp"

#define ASSERT_OK(expression)                             \
  do {                                                    \
    const auto& ok_ = (expression);                       \
    ASSERT_TRUE(ok_) << (ok_ ? "" : ok_.error().message); \
  } while (false)

namespace zenith::wal {

class segments_fixture : public ::testing::Test {
 protected:
  const zenith::testing::real_wal& wal() const { return zenith::testing::sample_wal(); }
  uint32_t size() const { return wal().identity.segment_size_bytes; }
  lsn segment(uint64_t after_first) const {
    return pg::segment_start(wal().first, size()) + after_first * size();
  }
  wal_directory::parameters where(file_system& fs, const path& directory = "wal") const {
    wal_directory::parameters how;
    how.files = &fs;
    how.directory = directory;
    how.identity = wal().identity;
    how.start = wal().first;
    how.history = {{pg_timeline{1}, lsn{}}};
    return how;
  }
  byte_view piece(lsn from, lsn until) const { return wal().from(from).first(until - from); }
  // The record that contains an LSN or starts there.
  const zenith::testing::dumped_record& record_at(lsn at) const {
    return *std::prev(
        std::ranges::upper_bound(wal().records, at, {}, &zenith::testing::dumped_record::start));
  }
  // The start of a small record, not the first of its page, well inside of a segment that others
  // precede and follow.
  lsn middle() const {
    for (const auto& record : wal().records)
      if (record.start > segment(1) + size() / 4 && record.start.value() % size() > size() / 4 &&
          record.start.value() % size() < size() / 4 * 3 && record.total_length_bytes < 1000 &&
          record.start.value() % page_size_bytes > 4000 && record.start + 2 * size() < wal().end)
        return record.start;
    throw std::runtime_error("no such record in the sample");
  }
  // The start of the first record at or after an LSN.
  lsn boundary_after(lsn at) const {
    return std::ranges::lower_bound(wal().records, at, {}, &zenith::testing::dumped_record::start)
        ->start;
  }
  lsn middle_segment() const { return pg::segment_start(middle(), size()); }
  lsn next_segment() const { return middle_segment() + size(); }
  void expect_holds(const wal_directory& opened, lsn from, lsn until) const {
    bytes there(until - from);
    const auto read = opened.read(from, there);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(std::ranges::equal(there, piece(from, until)));
  }
  // Appends in pieces of varied sizes, with a sync now and then.
  result<void> fill(wal_directory& to, lsn until, uint64_t seed, uint64_t* synced = nullptr) const {
    std::mt19937_64 chance(seed);
    while (to.end() < until) {
      const uint64_t now = std::min<uint64_t>(1 + chance() % 300'000, until - to.end());
      ZENITH_TRY(to.append(to.end(), piece(to.end(), to.end() + now)));
      if (chance() % 3 == 0) ZENITH_TRY(to.sync());
      if (synced != nullptr) *synced = to.durable_until().value();
    }
    ZENITH_TRY(to.sync());
    if (synced != nullptr) *synced = to.durable_until().value();
    return {};
  }

  zenith::testing::memory_file_system fs_;
};

}  // namespace zenith::wal
