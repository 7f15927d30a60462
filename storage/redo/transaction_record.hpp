// A commit, abort or prepare record of the transaction manager, taken apart.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::redo {

/// What the transaction manager's records do (xact.h, XLOG_XACT_OPMASK).
enum class transaction_operation : uint8_t {
  commit = 0x00,
  prepare = 0x10,
  abort = 0x20,
  commit_prepared = 0x30,
  abort_prepared = 0x40,
  assignment = 0x50,
  invalidations = 0x60,
};
inline transaction_operation operation_of(const pg::record& record) {
  return static_cast<transaction_operation>(record.info & 0x70);
}

/// An array inside a record: its elements may be unaligned.
template <class T>
struct packed_array {
  byte_view data;

  size_t size() const { return data.size() / sizeof(T); }
  T operator[](size_t i) const { return load<T>(data.data() + i * sizeof(T)); }
};

/// The end of a transaction, in one phase or two. Views into the record.
struct transaction_end {
  bool committed = false;
  bool prepared = false;  ///< the end of a prepared transaction
  uint32_t xid = 0;       ///< the transaction's own: not the record's where it was prepared
  int64_t time_us = 0;
  packed_array<uint32_t> subtransactions;
  packed_array<relation_id> dropped;
  bool has_origin = false;
  lsn origin_lsn;
  int64_t origin_time_us = 0;
};
static_assert(sizeof(relation_id) == 12, "laid out as RelFileNode");

/// ParseCommitRecord and ParseAbortRecord (xactdesc.c), every count checked against the bytes that
/// are there. For the four operations that end a transaction. Error: corrupt.
result<transaction_end> parse_transaction_end(const pg::record& record);

/// A PREPARE record's header (xact.h, xl_xact_prepare) and its subtransactions.
struct transaction_prepare {
  uint32_t xid = 0;
  packed_array<uint32_t> subtransactions;
  lsn origin_lsn;
};
/// Error: corrupt.
result<transaction_prepare> parse_transaction_prepare(const pg::record& record);

/// An ASSIGNMENT record (xact.h, xl_xact_assignment).
struct transaction_assignment {
  uint32_t toplevel_xid = 0;
  packed_array<uint32_t> subtransactions;
};
/// Error: corrupt.
result<transaction_assignment> parse_transaction_assignment(const pg::record& record);

}  // namespace zenith::redo
