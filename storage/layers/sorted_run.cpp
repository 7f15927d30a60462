// Finding the one slice that may hold a key, and passing questions on to its file.
#include "storage/layers/sorted_run.hpp"

#include <algorithm>

#include "storage/layers/layer_files.hpp"

namespace zenith::layers {

layer_reference sorted_run::make(std::span<const layer_slice> slices, layer_files& files) {
  const auto made = std::make_shared<sorted_run>();
  lsn newest;
  made->last_keys_.reserve(slices.size());
  made->parts_.reserve(slices.size());
  for (const layer_slice& slice : slices) {
    made->last_keys_.push_back(slice.last);
    made->parts_.push_back(
        {slice.first, slice.file.first_lsn(), slice.reaches(), files.find(slice.file)});
    newest = std::max(newest, slice.reaches());
  }
  return {made, newest};
}

template <class Do>
result<void> sorted_run::for_each_part(const key& first, const key& last, Do&& what) const {
  const auto found = std::ranges::lower_bound(last_keys_, first);
  for (auto i = static_cast<size_t>(found - last_keys_.begin());
       i < parts_.size() && parts_[i].first <= last; ++i)
    ZENITH_TRY(what(parts_[i], last_keys_[i]));
  return {};
}

result<void> sorted_run::collect(const key& k, lsn after, lsn until, key_history& history) const {
  return for_each_part(k, k, [&](const part& p, const key&) -> result<void> {
    const lsn newest = std::min(until, p.until);
    if (p.begin > newest || newest <= after) return {};
    return p.file->collect(k, after, newest, history);
  });
}

result<void> sorted_run::list(const key& first, const key& last, lsn until,
                              const std::function<void(const key&)>& each) const {
  return for_each_part(first, last, [&](const part& p, const key& last_key) -> result<void> {
    if (p.begin > until) return {};
    return p.file->list(std::max(first, p.first), std::min(last, last_key),
                        std::min(until, p.until), each);
  });
}

namespace {

constexpr key first_end_key{key_kind::transaction_ends};
const key last_end_key = key::transaction_ends(UINT64_MAX);

}  // namespace

// Where a file's slice leaves out some of its transaction ends they are in another slice as well,
// or are not needed any more: finding them twice does no harm, but they do not come in order.
result<std::optional<transaction_end>> sorted_run::first_later_than(int64_t time_us,
                                                                    lsn until) const {
  std::optional<transaction_end> earliest;
  ZENITH_TRY(
      for_each_part(first_end_key, last_end_key, [&](const part& p, const key&) -> result<void> {
        if (p.begin > until) return {};
        ZENITH_TRY_ASSIGN(const auto found,
                          p.file->first_later_than(time_us, std::min(until, p.until)));
        if (found && (!earliest || found->end < earliest->end)) earliest = found;
        return {};
      }));
  return earliest;
}

result<std::optional<transaction_end>> sorted_run::first_end_from(lsn from, lsn until) const {
  std::optional<transaction_end> earliest;
  ZENITH_TRY(
      for_each_part(first_end_key, last_end_key, [&](const part& p, const key&) -> result<void> {
        if (p.begin > until) return {};
        ZENITH_TRY_ASSIGN(const auto found, p.file->first_end_from(from, std::min(until, p.until)));
        if (found && (!earliest || found->end < earliest->end)) earliest = found;
        return {};
      }));
  return earliest;
}

result<std::optional<int64_t>> sorted_run::newest_time(lsn until) const {
  std::optional<int64_t> newest;
  ZENITH_TRY(
      for_each_part(first_end_key, last_end_key, [&](const part& p, const key&) -> result<void> {
        if (p.begin > until) return {};
        ZENITH_TRY_ASSIGN(const auto found, p.file->newest_time(std::min(until, p.until)));
        if (found && (!newest || *found > *newest)) newest = found;
        return {};
      }));
  return newest;
}

}  // namespace zenith::layers
