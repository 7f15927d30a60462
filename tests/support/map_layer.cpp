// map_layer: versions from a map.
#include "tests/support/map_layer.hpp"

namespace zenith::testing {

result<void> map_layer::collect(const key& k, lsn after, lsn until,
                                layers::key_history& history) const {
  if (at <= after || at > until) return {};
  const auto found = values.find(k);
  if (found == values.end()) return {};
  history.end_with_value(at, found->second);
  return {};
}

result<void> map_layer::list(const key& first, const key& last, lsn until,
                             const std::function<void(const key&)>& each) const {
  if (at > until) return {};
  for (auto v = values.lower_bound(first); v != values.end() && v->first <= last; ++v)
    each(v->first);
  return {};
}

}  // namespace zenith::testing
