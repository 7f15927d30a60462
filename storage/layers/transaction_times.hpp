// transaction_times: an LSN by a time, a time by an LSN, over all layers of a timeline.
#pragma once

#include <optional>
#include <span>

#include "storage/layers/layer.hpp"

namespace zenith::layers {

/// layer::first_later_than over layers, newest first, each up to where it counts. Errors: of the
/// layers.
result<std::optional<transaction_end>> first_later_than(std::span<const layer_reference> layers,
                                                        int64_t time_us, lsn until = lsn::max());

/// layer::first_end_from over layers, newest first, each up to where it counts. Errors: of the
/// layers.
result<std::optional<transaction_end>> first_end_from(std::span<const layer_reference> layers,
                                                      lsn from, lsn until = lsn::max());

/// layer::newest_time over layers, newest first, each up to where it counts. Errors: of the layers.
result<std::optional<int64_t>> newest_time(std::span<const layer_reference> layers, lsn until);

}  // namespace zenith::layers
