// key_merger: histories by chance, merged by chance, stay what they were.
#include "storage/layers/key_merger.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/layers/retention.hpp"
#include "tests/support/random_history.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::layer_of;
using zenith::testing::listed_cursor;
using zenith::testing::listed_version;
using zenith::testing::listed_versions;
using zenith::testing::random_history;

/// What lies in one layer.
struct segment {
  listed_versions versions;
  lsn after;
  lsn last;
  std::shared_ptr<const layer> data;
};

class merged_history {
 public:
  merged_history(const random_history& history, std::mt19937& random)
      : random_(random), whole_(layer_of(history.versions())), end_(history.end()) {
    std::vector<lsn> ends{history.end()};
    for (unsigned i = random_() % 6; i > 0; --i)
      ends.push_back(history.points()[random_() % history.points().size()]);
    std::ranges::sort(ends);
    lsn after;
    for (const lsn end : ends) {
      segment one{{}, after, end, nullptr};
      for (const listed_version& v : history.versions())
        if (v.entry.at > after && v.entry.at <= end) one.versions.push_back(v);
      one.data = layer_of(one.versions);
      segments_.insert(segments_.begin(), std::move(one));
      after = end;
    }
  }

  view expected(page_checksums checksums) const {
    return view({{whole_, end_}}, lsn{1}, end_, nullptr, checksums);
  }
  view found(page_checksums checksums) const {
    return view(references(0, 0), lsn{1}, end_, nullptr, checksums);
  }

  /// All segments but those from `from` to before `to`, newest first.
  std::vector<layer_reference> references(size_t from, size_t to) const {
    std::vector<layer_reference> all;
    for (size_t i = 0; i < segments_.size(); ++i)
      if (i < from || i >= to) all.push_back({segments_[i].data, segments_[i].last});
    return all;
  }

  void merge(const retention& keep, unsigned records_max, page_checksums checksums) {
    const size_t from = random_() % segments_.size();
    const size_t to = from + 1 + random_() % (segments_.size() - from);
    listed_versions in;
    for (size_t i = from; i < to; ++i)
      in.insert(in.end(), segments_[i].versions.begin(), segments_[i].versions.end());
    sort(in);
    merge_history history(references(0, 0), references(from, to), checksums);
    listed_versions out;
    key_merger::parameters how{.kept_states = keep.kept_states(),
                               .known_from = keep.known_from,
                               .records_max = records_max,
                               .checksums = checksums,
                               .history = &history};
    how.reopen = [&](const key& k, lsn until) -> result<std::unique_ptr<version_cursor>> {
      return std::make_unique<listed_cursor>(in, k, until);
    };
    how.may_be_older = [&](const key& k, lsn) {
      return std::any_of(segments_.begin() + static_cast<std::ptrdiff_t>(to), segments_.end(),
                         [&](const segment& one) {
                           return std::ranges::any_of(one.versions, [&](const listed_version& v) {
                             return v.entry.k == k;
                           });
                         });
    };
    how.out = [&](const version_entry& v) -> result<void> {
      out.emplace_back(v);
      return {};
    };
    how.part_versions_max = 1 + random_() % 40;
    key_merger merger(std::move(how));
    for (const listed_version& v : in) ASSERT_TRUE(merger.add(v.entry));
    ASSERT_TRUE(merger.finish());
    ASSERT_TRUE(std::ranges::is_sorted(out, [](const listed_version& a, const listed_version& b) {
      return a.entry.k != b.entry.k ? a.entry.k < b.entry.k : a.entry.at > b.entry.at;
    }));
    went_ += in.size() - out.size();
    segment merged{std::move(out), segments_[to - 1].after, segments_[from].last, nullptr};
    merged.data = layer_of(merged.versions);
    segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(from),
                    segments_.begin() + static_cast<std::ptrdiff_t>(to));
    segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(from), std::move(merged));
    newest_merged_ = from;
  }

  /// The most records that a page needs of what was merged last.
  size_t longest_row() const {
    size_t longest = 0;
    size_t row = 0;
    key k;
    for (const listed_version& v : segments_[newest_merged_].versions) {
      if (v.entry.k != k || v.entry.k.is_all_blocks()) row = 0;
      k = v.entry.k;
      row = v.entry.is_record() ? row + 1 : 0;
      longest = std::max(longest, row);
      if (v.entry.kind != version_kind::changes) row = 0;
    }
    return longest;
  }
  size_t went() const { return went_; }

 private:
  std::mt19937& random_;
  std::shared_ptr<const layer> whole_;
  lsn end_;
  std::vector<segment> segments_;  // newest first
  size_t newest_merged_ = 0;
  size_t went_ = 0;
};

/// What is kept, less and less of it.
retention less_than(const retention& keep, const random_history& history, std::mt19937& random) {
  retention less = keep;
  less.horizon = std::max(keep.horizon, history.points()[random() % history.points().size()]);
  std::erase_if(less.points, [&](lsn at) {
    return random() % 4 == 0 && !std::ranges::binary_search(history.copied_at(), at);
  });
  return less;
}

void check_all_kept(const random_history& history, const merged_history& merged,
                    const retention& keep, page_checksums checksums, std::mt19937& random) {
  const view expected = merged.expected(checksums);
  const view found = merged.found(checksums);
  for (const lsn at : history.points()) {
    const bool is_point = std::ranges::binary_search(keep.points, at) || at == keep.horizon;
    if (!keep.keeps(at) || (!is_point && random() % 4 != 0)) continue;
    ASSERT_EQ(history.difference(expected, found, at), "");
  }
}

void merge_at_random(uint32_t seed, const random_history::chances& how, size_t steps,
                     bool everything, size_t& went) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  random_history history(seed, how);
  for (size_t i = 0; i < steps; ++i) history.step();
  merged_history merged(history, random);
  retention keep;
  for (const lsn at : history.points())
    if (random() % 20 == 0 || std::ranges::binary_search(history.copied_at(), at))
      keep.points.push_back(at);
  const auto checksums = random() % 2 == 0 ? page_checksums::off : page_checksums::on;
  const unsigned records_max = 1 + random() % 20;
  for (int round = 0; round < 4; ++round) {
    if (!everything) keep = less_than(keep, history, random);
    merged.merge(keep, records_max, checksums);
    if (how.broken_percent == 0) ASSERT_LE(merged.longest_row(), records_max);
    ASSERT_NO_FATAL_FAILURE(check_all_kept(history, merged, keep, checksums, random));
  }
  went += merged.went();
}

TEST(key_merger, every_kept_state_of_random_histories_stays_what_it_was) {
  size_t went = 0;
  for (int round = 0; round < (zenith::testing::full_test_level() ? 1000 : 30); ++round)
    ASSERT_NO_FATAL_FAILURE(
        merge_at_random(zenith::testing::test_seed() + round, {}, 400, round % 5 == 0, went));
  EXPECT_GT(went, 100u);
}

// Everything is kept again, while somebody looks for a point, of what is left.
TEST(key_merger, what_was_let_go_spoils_nothing_when_nothing_is_let_go_any_more) {
  for (int round = 0; round < (zenith::testing::full_test_level() ? 1000 : 60); ++round) {
    const uint32_t seed = zenith::testing::test_seed() + static_cast<uint32_t>(round);
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    random_history::chances how;
    how.relations = 2;
    how.blocks_max = 3;
    random_history history(seed, how);
    for (size_t i = 0; i < 500; ++i) history.step();
    merged_history merged(history, random);
    retention keep;
    keep.points = history.copied_at();
    for (int merge = 0; merge < 8; ++merge) {
      retention now = keep;
      if (merge % 2 == 0) {
        now = keep = less_than(keep, history, random);
        keep.known_from = std::max(keep.known_from, keep.horizon);
      } else {
        now.horizon = {};
      }
      merged.merge(now, 1 + random() % 4, page_checksums::off);
      ASSERT_NO_FATAL_FAILURE(check_all_kept(history, merged, keep, page_checksums::off, random));
    }
  }
}

TEST(key_merger, no_page_needs_more_records_than_the_bound) {
  random_history::chances how;
  how.broken_percent = 0;
  how.relations = 1;
  how.blocks_max = 2;
  how.drop_percent = 1;
  size_t went = 0;
  for (int round = 0; round < (zenith::testing::full_test_level() ? 500 : 15); ++round)
    ASSERT_NO_FATAL_FAILURE(
        merge_at_random(zenith::testing::test_seed() + round, how, 600, round % 2 == 0, went));
}

}  // namespace
}  // namespace zenith::layers
