// Asking layers for times, the oldest or the newest one first.
#include "storage/layers/transaction_times.hpp"

#include <algorithm>

namespace zenith::layers {

result<std::optional<transaction_end>> first_later_than(std::span<const layer_reference> layers,
                                                        int64_t time_us, lsn until) {
  for (auto it = layers.rbegin(); it != layers.rend(); ++it) {
    ZENITH_TRY_ASSIGN(const auto found,
                      it->data->first_later_than(time_us, std::min(it->until, until)));
    if (found) return found;
  }
  return std::nullopt;
}

result<std::optional<transaction_end>> first_end_from(std::span<const layer_reference> layers,
                                                      lsn from, lsn until) {
  std::optional<transaction_end> first;
  for (const layer_reference& one : layers) {
    const lsn last = std::min(one.until, until);
    if (last < from) continue;
    ZENITH_TRY_ASSIGN(const auto found, one.data->first_end_from(from, last));
    if (found && (!first || found->end < first->end)) first = found;
  }
  return first;
}

result<std::optional<int64_t>> newest_time(std::span<const layer_reference> layers, lsn until) {
  std::optional<int64_t> newest;
  for (const layer_reference& one : layers) {
    ZENITH_TRY_ASSIGN(const auto found, one.data->newest_time(std::min(one.until, until)));
    if (found) newest = std::max(newest.value_or(*found), *found);
  }
  return newest;
}

}  // namespace zenith::layers
