// How far replication from another server has come, as records and commits advance it.
#pragma once

#include <cstdint>

#include "storage/base/lsn.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::redo {

/// replorigin_advance (origin.c): the origin's position moves forward; backward too where
/// `go_backward`. DoNotReplicateId is not tracked.
result<void> advance_replication_origin(change_sink& sink, uint16_t origin, lsn remote,
                                        bool go_backward);

}  // namespace zenith::redo
