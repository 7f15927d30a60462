// Binary searches over the largest time so far, and over LSNs.
#include "storage/layers/commit_index.hpp"

#include <algorithm>
#include <mutex>
#include <span>

namespace zenith::layers {
namespace {

/// The end of those that ended at or before an LSN.
auto end_at(const std::vector<transaction_end>& entries, lsn until) {
  return std::upper_bound(entries.begin(), entries.end(), until,
                          [](lsn at, const transaction_end& e) { return at < e.end; });
}

}  // namespace

void commit_index::append(int64_t time_us, lsn start, lsn end, lsn previous) {
  const std::unique_lock lock(mutex_);
  const int64_t newest = entries_.empty() ? time_us : std::max(entries_.back().time_us, time_us);
  entries_.push_back({newest, start, end, previous});
}

std::optional<transaction_end> commit_index::first_later_than(int64_t time_us, lsn until) const {
  const std::shared_lock lock(mutex_);
  const auto found =
      std::upper_bound(entries_.begin(), entries_.end(), time_us,
                       [](int64_t time, const transaction_end& e) { return time < e.time_us; });
  if (found == entries_.end() || found->end > until) return std::nullopt;
  return *found;
}

std::optional<transaction_end> commit_index::first_from(lsn from, lsn until) const {
  const std::shared_lock lock(mutex_);
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), from,
                                      [](const transaction_end& e, lsn at) { return e.end < at; });
  if (found == entries_.end() || found->end > until) return std::nullopt;
  return *found;
}

std::optional<int64_t> commit_index::newest_time(lsn until) const {
  const std::shared_lock lock(mutex_);
  const auto past = end_at(entries_, until);
  if (past == entries_.begin()) return std::nullopt;
  return std::prev(past)->time_us;
}

std::vector<commit_index::batch> commit_index::batches(lsn until) const {
  const std::shared_lock lock(mutex_);
  const auto count = static_cast<size_t>(end_at(entries_, until) - entries_.begin());
  std::vector<batch> all;
  for (size_t i = 0; i < count; i += transaction_end_batch::ends_max) {
    const auto ends =
        std::span(entries_).subspan(i, std::min(count - i, transaction_end_batch::ends_max));
    const int64_t before = i == 0 ? no_time : entries_[i - 1].time_us;
    all.push_back({ends.front().end, encode_transaction_ends(before, ends)});
  }
  return all;
}

size_t commit_index::size() const {
  const std::shared_lock lock(mutex_);
  return entries_.size();
}

}  // namespace zenith::layers
