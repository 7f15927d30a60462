// WAL of real servers cut at every byte, and with every byte changed: an error or the same records.
#include <gtest/gtest.h>

#include "tests/support/golden_replay.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::testing {
namespace {

struct seen_record {
  lsn start;
  lsn end;
  uint32_t crc = 0;  ///< of its bytes
  bool operator==(const seen_record&) const = default;
};

/// A scenario's WAL and its records.
struct corpus {
  explicit corpus(const std::string& name) : scenario(load_golden(name)) {
    for_each_golden_record(scenario, [this](const wal::raw_record& raw, const pg::record&) {
      records.push_back({raw.start, raw.end, crc32c(raw.bytes)});
    });
  }
  /// Where the record begins that a byte lies in or, for what lies between records, behind.
  size_t record_of(lsn at) const {
    const auto next = std::ranges::upper_bound(records, at, {}, &seen_record::start);
    return static_cast<size_t>(std::max<ptrdiff_t>(next - records.begin() - 1, 0));
  }
  /// The next byte to change. Behind a switch of segments lie zeros that say nothing, all of which
  /// are read again with each change: fewer and fewer of them stand for all. No other record here
  /// is so long.
  lsn after(lsn at) const {
    constexpr uint64_t long_bytes = 64 * 1024, header_bytes = 24;
    const seen_record& record = records[record_of(at)];
    const uint64_t inside = at - record.start;
    if (record.end - record.start < long_bytes || inside < header_bytes) return at + 1;
    return at + std::max<uint64_t>(1, inside / 4);
  }
  /// Whether a byte is looked at in more than one way: those that say what follows, in records and
  /// pages, and what is near them. Behind them lie tuples and images, guarded by the record's CRC.
  bool is_structure(lsn at) const {
    constexpr uint64_t near_a_start = 256, near_a_page_start = 64;
    return at - records[record_of(at)].start < near_a_start ||
           at.value() % page_size_bytes < near_a_page_start;
  }
  lsn before(size_t record) const { return record == 0 ? lsn{} : records[record - 1].start; }

  golden_scenario scenario;
  std::vector<seen_record> records;
};

/// Demands that a decoder which begins at a record of the corpus gives out this record and those
/// behind it, as many as it does. Gives their number; `failed`: whether an error ended it.
size_t expect_a_prefix(const corpus& c, size_t first, byte_view wal, bool& failed) {
  wal::decoder decoder(c.scenario.identity, c.records[first].start, c.before(first));
  EXPECT_TRUE(decoder.feed(c.records[first].start, wal));
  size_t count = 0;
  for (;;) {
    const auto raw = decoder.next();
    failed = !raw;
    if (!raw || !*raw) return count;
    const seen_record found{(*raw)->start, (*raw)->end, crc32c((*raw)->bytes)};
    if (first + count >= c.records.size() || found != c.records[first + count]) {
      ADD_FAILURE() << "another record at " << to_string(found.start);
      return count;
    }
    ++count;
  }
}

/// Every byte from `from` on, changed in each of these ways or, where it is no structure, in the
/// one whose turn it is; with the two records behind it.
void expect_no_other_records(const corpus& c, lsn from, lsn until, std::span<const int> flips) {
  size_t errors = 0, tried = 0;
  for (lsn at = from; at < until; at = c.after(at)) {
    const size_t first = c.record_of(at);
    const size_t last = std::min(first + 2, c.records.size() - 1);
    const lsn end = std::min(std::max(c.records[last].end, at + 1), c.scenario.end);
    const byte_view good =
        c.scenario.wal_from(c.records[first].start).first(end - c.records[first].start);
    bytes changed(good.begin(), good.end());
    auto& byte = changed[at - c.records[first].start];
    const auto was = byte;
    const auto one_in_turn = flips.subspan(at.value() % flips.size(), 1);
    for (const int flip : c.is_structure(at) ? flips : one_in_turn) {
      byte = was ^ static_cast<std::byte>(flip);
      bool failed = false;
      expect_a_prefix(c, first, changed, failed);
      errors += failed ? 1 : 0;
      ++tried;
    }
    if (::testing::Test::HasFailure()) FAIL() << "byte at " << to_string(at);
  }
  // All but padding, and bits that say nothing.
  EXPECT_GT(errors, tried * 9 / 10);
}

constexpr int all_flips[] = {1, 2, 4, 8, 16, 32, 64, 128, 255};

class hostile_wal : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(scenarios, hostile_wal,
                         ::testing::Values("transactions", "databases", "events"),
                         [](const auto& which) { return which.param; });

TEST_P(hostile_wal, with_any_byte_changed_is_an_error_or_the_same_records) {
  const corpus c(GetParam());
  // The record that a test begins with is known by its own start.
  const lsn start = c.records.front().start;
  if (full_test_level()) {
    expect_no_other_records(c, start, c.scenario.end, all_flips);
    return;
  }
  const auto share = std::min<uint64_t>(c.scenario.end - start, 128 * 1024);
  expect_no_other_records(c, start, start + share / 8, all_flips);
  constexpr int one_flip[] = {0x40};
  expect_no_other_records(c, start + share / 8, start + share, one_flip);
}

TEST_P(hostile_wal, cut_at_any_byte_is_the_records_before_and_no_error) {
  const corpus c(GetParam());
  const auto& s = c.scenario;
  const lsn start = c.records.front().start;
  const lsn until = full_test_level() ? s.end : std::min(s.end, start + 256 * 1024);
  wal::decoder growing(s.identity, start, lsn{});
  size_t count = 0;
  lsn next_fresh = start;
  for (lsn at = start; at < until; at = at + 1) {
    ASSERT_TRUE(growing.feed(at, s.wal_from(at).first(1)));
    for (;;) {
      const auto raw = growing.next();
      ASSERT_TRUE(raw) << "cut at " << to_string(at) << ": " << raw.error().message;
      if (!*raw) break;
      const seen_record found{(*raw)->start, (*raw)->end, crc32c((*raw)->bytes)};
      ASSERT_EQ(found, c.records.at(count++));
    }
    // The same by a decoder that has seen nothing else.
    if (at < next_fresh) continue;
    next_fresh = c.after(at);
    const size_t first = c.record_of(at);
    bool failed = false;
    const auto fresh = expect_a_prefix(
        c, first, s.wal_from(c.records[first].start).first(at + 1 - c.records[first].start),
        failed);
    ASSERT_FALSE(failed) << "cut at " << to_string(at);
    ASSERT_EQ(first + fresh, count) << "cut at " << to_string(at);
  }
  EXPECT_GT(count, 50u);
}

}  // namespace
}  // namespace zenith::testing
