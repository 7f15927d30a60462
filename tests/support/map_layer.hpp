// map_layer: a layer that is a map of keys and values.
#pragma once

#include <map>

#include "storage/base/key.hpp"
#include "storage/layers/layer.hpp"

namespace zenith::testing {

/// Values that all exist at one LSN; may be changed between reads.
class map_layer final : public layers::layer {
 public:
  lsn at;
  std::map<key, bytes> values;

  result<void> collect(const key& k, lsn after, lsn until,
                       layers::key_history& history) const override;
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override;
};

}  // namespace zenith::testing
