// The versioned control data: reading and changing what key::control() holds.
#pragma once

#include <functional>

#include "storage/base/result.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::redo {

/// Changes the control data as it is just before the record; puts it where it
/// differs afterwards. A record calls this once at most. Error: corrupt, where the control
/// data are missing or damaged.
result<void> change_control(change_sink& sink,
                            const std::function<void(pg::control_file&)>& change);

/// Commit timestamps are kept (track_commit_timestamp in the control data).
result<bool> keeps_commit_timestamps(change_sink& sink);

/// commit_ts.c, CommitTsParameterChange: what a PARAMETER_CHANGE record does to commit timestamps.
/// Changes the pages by itself and `control`, which the caller puts.
result<void> switch_commit_timestamps(change_sink& sink, bool on, pg::control_file& control);

}  // namespace zenith::redo
