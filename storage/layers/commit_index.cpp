// Binary searches over the largest time so far, and over LSNs.
#include "storage/layers/commit_index.hpp"

#include <algorithm>
#include <mutex>

namespace zenith::layers {

void commit_index::append(int64_t time_us, lsn start, lsn end) {
  const std::unique_lock lock(mutex_);
  const int64_t newest =
      entries_.empty() ? time_us : std::max(entries_.back().newest_time_us, time_us);
  entries_.push_back({newest, start, end});
}

std::optional<transaction_end> commit_index::first_later_than(int64_t time_us, lsn until) const {
  const std::shared_lock lock(mutex_);
  const auto found =
      std::upper_bound(entries_.begin(), entries_.end(), time_us,
                       [](int64_t time, const entry& e) { return time < e.newest_time_us; });
  if (found == entries_.end() || found->end > until) return std::nullopt;
  return transaction_end{found->newest_time_us, found->start, found->end};
}

std::optional<int64_t> commit_index::newest_time(lsn until) const {
  const std::shared_lock lock(mutex_);
  const auto past = std::upper_bound(entries_.begin(), entries_.end(), until,
                                     [](lsn at, const entry& e) { return at < e.end; });
  if (past == entries_.begin()) return std::nullopt;
  return std::prev(past)->newest_time_us;
}

size_t commit_index::size() const {
  const std::shared_lock lock(mutex_);
  return entries_.size();
}

std::optional<transaction_end> first_later_than(std::span<const commit_index_reference> chain,
                                                int64_t time_us) {
  for (auto it = chain.rbegin(); it != chain.rend(); ++it)
    if (auto found = it->data->first_later_than(time_us, it->until)) return found;
  return std::nullopt;
}

std::optional<int64_t> newest_time(std::span<const commit_index_reference> chain, lsn until) {
  std::optional<int64_t> newest;
  for (const commit_index_reference& one : chain)
    if (const auto found = one.data->newest_time(std::min(one.until, until)))
      newest = std::max(newest.value_or(*found), *found);
  return newest;
}

}  // namespace zenith::layers
