// For each resource manager the keys that its ingest function writes to.
#include "storage/redo/unnamed_changes.hpp"

#include "storage/redo/record_parts.hpp"
#include "storage/redo/transaction_record.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <catalog/storage_xlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

using rm = pg::resource_manager;
using patterns = std::vector<key_pattern>;

/// More than these are not told apart.
constexpr size_t relations_max = 64;

relation_id to_relation_id(const RelFileNode& node) {
  return {node.spcNode, node.dbNode, node.relNode};
}

void add_maps(patterns& to, const relation_id& relation, fork_number fork) {
  to.push_back(key_pattern::size_of(relation, fork));
  to.push_back(key_pattern::blocks_of(relation, fork));
}

void add_storage(const pg::record& record, patterns& to) {
  std::optional<relation_id> named;
  if (record.opcode() == XLOG_SMGR_CREATE) {
    if (const auto create = read_main<xl_smgr_create>(record))
      named = to_relation_id(create->rnode);
  } else if (record.opcode() == XLOG_SMGR_TRUNCATE) {
    if (const auto truncate = read_main<xl_smgr_truncate>(record))
      named = to_relation_id(truncate->rnode);
  }
  if (!named) return to.push_back(key_pattern::all(key_kind::relation_size));
  to.push_back(key_pattern::sizes_of(*named));
  add_maps(to, *named, fork_number::fsm);
  add_maps(to, *named, fork_number::vm);
}

void add_transaction(const pg::record& record, patterns& to) {
  to.push_back(key_pattern::all(slru_kind::xact));
  to.push_back(key_pattern::all(slru_kind::commit_ts));
  for (const key_kind kind : {key_kind::control, key_kind::two_phase, key_kind::replication_origin})
    to.push_back(key_pattern::all(kind));
  switch (operation_of(record)) {
    case transaction_operation::prepare:
    case transaction_operation::assignment:
    case transaction_operation::invalidations:
      return;
    default:
      break;
  }
  const auto end = parse_transaction_end(record);
  if (!end || end->dropped.size() > relations_max)
    return to.push_back(key_pattern::all(key_kind::relation_size));
  for (size_t i = 0; i < end->dropped.size(); ++i)
    to.push_back(key_pattern::sizes_of(end->dropped[i]));
}

/// The records of all three operations begin with the database that is made or dropped
/// (dbcommands_xlog.h).
void add_database(const pg::record& record, patterns& to) {
  std::optional<uint32_t> database;
  if (const auto first = read_main<uint32_t>(record)) database = *first;
  for (const key_kind kind : {key_kind::database, key_kind::relation_map, key_kind::relation_size})
    to.push_back({kind, {}, database});
}

/// The visibility maps of the tables whose blocks the record names.
void add_heap(const pg::record& record, patterns& to) {
  for (const pg::block_reference& block : record.blocks())
    add_maps(to, block.relation, fork_number::vm);
}

void add_xlog(patterns& to) {
  for (const key_kind kind : {key_kind::control, key_kind::next_oid, key_kind::next_multixact})
    to.push_back(key_pattern::all(kind));
  to.push_back(key_pattern::all(slru_kind::commit_ts));
}

void add_multixact(patterns& to) {
  for (const key_kind kind : {key_kind::control, key_kind::next_multixact})
    to.push_back(key_pattern::all(kind));
  to.push_back(key_pattern::all(slru_kind::multixact_offsets));
  to.push_back(key_pattern::all(slru_kind::multixact_members));
}

}  // namespace

std::vector<key_pattern> unnamed_changes(const pg::record& record) {
  patterns all;
  if (pg::is_extension(record.rmgr)) return all;
  // Every record may use a transaction id that none has used before.
  all.push_back(key_pattern::all(key_kind::next_full_xid));
  switch (record.rmgr) {
    case rm::xlog:
      add_xlog(all);
      break;
    case rm::transaction:
      add_transaction(record, all);
      break;
    case rm::storage:
      add_storage(record, all);
      break;
    case rm::clog:
      all.push_back(key_pattern::all(key_kind::control));
      all.push_back(key_pattern::all(slru_kind::xact));
      break;
    case rm::database:
      add_database(record, all);
      break;
    case rm::tablespace:
      all.push_back(key_pattern::all(key_kind::tablespace));
      break;
    case rm::multixact:
      add_multixact(all);
      break;
    case rm::relmap:
      all.push_back(key_pattern::all(key_kind::relation_map));
      break;
    case rm::heap:
    case rm::heap2:
      add_heap(record, all);
      break;
    case rm::commit_ts:
      all.push_back(key_pattern::all(key_kind::control));
      all.push_back(key_pattern::all(slru_kind::commit_ts));
      break;
    case rm::replication_origin:
      all.push_back(key_pattern::all(key_kind::replication_origin));
      break;
    default:
      break;  // pages alone
  }
  return all;
}

}  // namespace zenith::redo
