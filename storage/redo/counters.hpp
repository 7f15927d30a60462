// The counters that a server continues from: the next transaction id, OID and multixact.
#pragma once

#include "storage/postgres/record.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::redo {

/// Puts each counter that the record moves, once and only where it changes. Error: corrupt, where
/// the record does not parse or a counter's value is missing.
result<void> advance_counters(const pg::record& record, change_sink& sink);

/// key::next_full_xid()'s value: the next transaction id, its epoch in the upper half.
result<uint64_t> current_next_full_xid(change_sink& sink);

/// key::next_multixact()'s value.
struct next_multixact_value {
  uint32_t multixact = 0;
  uint32_t offset = 0;  ///< in members
  bool operator==(const next_multixact_value&) const = default;
};
result<next_multixact_value> current_next_multixact(change_sink& sink);

/// AdvanceNextFullTransactionIdPastXid (varsup.c): `next` moved past an id mentioned in WAL.
uint64_t past_transaction_id(uint64_t next, uint32_t xid);

}  // namespace zenith::redo
