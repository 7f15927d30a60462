// control_state: what pg_control holds as of an LSN, put together from its versioned parts.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/layers/view.hpp"
#include "storage/postgres/control_file.hpp"

namespace zenith::backup {

/// A value that every cluster has, of at least so many bytes. Errors: corrupt, and the view's.
result<bytes> required_value(const layers::view& view, const key& k, lsn at, size_t size_bytes);

/// The control data with its counters as of the LSN. They are exact, never behind: a next
/// transaction id that is too low would make committed rows invisible, and say nothing.
result<pg::control_file> control_at(const layers::view& view, lsn at);

}  // namespace zenith::backup
