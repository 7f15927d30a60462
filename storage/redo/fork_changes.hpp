// fork_changes: what records of the storage resource manager make of a fork's state.
#pragma once

#include <optional>

#include "storage/base/relation_state.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::redo {

/// XLOG_SMGR_CREATE and XLOG_SMGR_TRUNCATE (smgr_redo). Gives whether the state changed. Errors:
/// corrupt, unsupported.
result<bool> change_fork_by_storage(const pg::record& record, const relation_id& relation,
                                    fork_number fork, std::optional<relation_state>& state);

}  // namespace zenith::redo
