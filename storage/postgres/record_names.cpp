// The names of resource managers and of their records, as pg_waldump prints them.
#include <fmt/format.h>

#include "storage/postgres/record.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/brin_xlog.h>
#include <access/clog.h>
#include <access/commit_ts.h>
#include <access/ginxlog.h>
#include <access/gistxlog.h>
#include <access/hash_xlog.h>
#include <access/heapam_xlog.h>
#include <access/multixact.h>
#include <access/nbtxlog.h>
#include <access/rmgr.h>
#include <access/spgxlog.h>
#include <access/xact.h>
#include <catalog/pg_control.h>
#include <catalog/storage_xlog.h>
#include <commands/dbcommands_xlog.h>
#include <commands/sequence.h>
#include <commands/tablespace.h>
#include <replication/message.h>
#include <replication/origin.h>
#include <storage/standbydefs.h>
#include <utils/relmapper.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

struct opcode_name {
  uint8_t opcode;
  const char* name;
};

// One table a resource manager: the names that its rm_identify gives (src/backend/access/rmgrdesc).
constexpr opcode_name xlog_names[] = {{XLOG_CHECKPOINT_SHUTDOWN, "CHECKPOINT_SHUTDOWN"},
                                      {XLOG_CHECKPOINT_ONLINE, "CHECKPOINT_ONLINE"},
                                      {XLOG_NOOP, "NOOP"},
                                      {XLOG_NEXTOID, "NEXTOID"},
                                      {XLOG_SWITCH, "SWITCH"},
                                      {XLOG_BACKUP_END, "BACKUP_END"},
                                      {XLOG_PARAMETER_CHANGE, "PARAMETER_CHANGE"},
                                      {XLOG_RESTORE_POINT, "RESTORE_POINT"},
                                      {XLOG_FPW_CHANGE, "FPW_CHANGE"},
                                      {XLOG_END_OF_RECOVERY, "END_OF_RECOVERY"},
                                      {XLOG_FPI_FOR_HINT, "FPI_FOR_HINT"},
                                      {XLOG_FPI, "FPI"},
                                      {XLOG_OVERWRITE_CONTRECORD, "OVERWRITE_CONTRECORD"}};
constexpr opcode_name transaction_names[] = {{XLOG_XACT_COMMIT, "COMMIT"},
                                             {XLOG_XACT_PREPARE, "PREPARE"},
                                             {XLOG_XACT_ABORT, "ABORT"},
                                             {XLOG_XACT_COMMIT_PREPARED, "COMMIT_PREPARED"},
                                             {XLOG_XACT_ABORT_PREPARED, "ABORT_PREPARED"},
                                             {XLOG_XACT_ASSIGNMENT, "ASSIGNMENT"},
                                             {XLOG_XACT_INVALIDATIONS, "INVALIDATION"}};
constexpr opcode_name storage_names[] = {{XLOG_SMGR_CREATE, "CREATE"},
                                         {XLOG_SMGR_TRUNCATE, "TRUNCATE"}};
constexpr opcode_name clog_names[] = {{CLOG_ZEROPAGE, "ZEROPAGE"}, {CLOG_TRUNCATE, "TRUNCATE"}};
constexpr opcode_name database_names[] = {{XLOG_DBASE_CREATE_FILE_COPY, "CREATE_FILE_COPY"},
                                          {XLOG_DBASE_CREATE_WAL_LOG, "CREATE_WAL_LOG"},
                                          {XLOG_DBASE_DROP, "DROP"}};
constexpr opcode_name tablespace_names[] = {{XLOG_TBLSPC_CREATE, "CREATE"},
                                            {XLOG_TBLSPC_DROP, "DROP"}};
constexpr opcode_name multixact_names[] = {{XLOG_MULTIXACT_ZERO_OFF_PAGE, "ZERO_OFF_PAGE"},
                                           {XLOG_MULTIXACT_ZERO_MEM_PAGE, "ZERO_MEM_PAGE"},
                                           {XLOG_MULTIXACT_CREATE_ID, "CREATE_ID"},
                                           {XLOG_MULTIXACT_TRUNCATE_ID, "TRUNCATE_ID"}};
constexpr opcode_name relmap_names[] = {{XLOG_RELMAP_UPDATE, "UPDATE"}};
constexpr opcode_name standby_names[] = {{XLOG_STANDBY_LOCK, "LOCK"},
                                         {XLOG_RUNNING_XACTS, "RUNNING_XACTS"},
                                         {XLOG_INVALIDATIONS, "INVALIDATIONS"}};
constexpr opcode_name heap2_names[] = {
    {XLOG_HEAP2_REWRITE, "REWRITE"},
    {XLOG_HEAP2_PRUNE, "PRUNE"},
    {XLOG_HEAP2_VACUUM, "VACUUM"},
    {XLOG_HEAP2_FREEZE_PAGE, "FREEZE_PAGE"},
    {XLOG_HEAP2_VISIBLE, "VISIBLE"},
    {XLOG_HEAP2_MULTI_INSERT, "MULTI_INSERT"},
    {XLOG_HEAP2_MULTI_INSERT | XLOG_HEAP_INIT_PAGE, "MULTI_INSERT+INIT"},
    {XLOG_HEAP2_LOCK_UPDATED, "LOCK_UPDATED"},
    {XLOG_HEAP2_NEW_CID, "NEW_CID"}};
constexpr opcode_name heap_names[] = {
    {XLOG_HEAP_INSERT, "INSERT"},
    {XLOG_HEAP_INSERT | XLOG_HEAP_INIT_PAGE, "INSERT+INIT"},
    {XLOG_HEAP_DELETE, "DELETE"},
    {XLOG_HEAP_UPDATE, "UPDATE"},
    {XLOG_HEAP_UPDATE | XLOG_HEAP_INIT_PAGE, "UPDATE+INIT"},
    {XLOG_HEAP_TRUNCATE, "TRUNCATE"},
    {XLOG_HEAP_HOT_UPDATE, "HOT_UPDATE"},
    {XLOG_HEAP_HOT_UPDATE | XLOG_HEAP_INIT_PAGE, "HOT_UPDATE+INIT"},
    {XLOG_HEAP_CONFIRM, "HEAP_CONFIRM"},
    {XLOG_HEAP_LOCK, "LOCK"},
    {XLOG_HEAP_INPLACE, "INPLACE"}};
constexpr opcode_name btree_names[] = {{XLOG_BTREE_INSERT_LEAF, "INSERT_LEAF"},
                                       {XLOG_BTREE_INSERT_UPPER, "INSERT_UPPER"},
                                       {XLOG_BTREE_INSERT_META, "INSERT_META"},
                                       {XLOG_BTREE_SPLIT_L, "SPLIT_L"},
                                       {XLOG_BTREE_SPLIT_R, "SPLIT_R"},
                                       {XLOG_BTREE_INSERT_POST, "INSERT_POST"},
                                       {XLOG_BTREE_DEDUP, "DEDUP"},
                                       {XLOG_BTREE_DELETE, "DELETE"},
                                       {XLOG_BTREE_UNLINK_PAGE, "UNLINK_PAGE"},
                                       {XLOG_BTREE_UNLINK_PAGE_META, "UNLINK_PAGE_META"},
                                       {XLOG_BTREE_NEWROOT, "NEWROOT"},
                                       {XLOG_BTREE_MARK_PAGE_HALFDEAD, "MARK_PAGE_HALFDEAD"},
                                       {XLOG_BTREE_VACUUM, "VACUUM"},
                                       {XLOG_BTREE_REUSE_PAGE, "REUSE_PAGE"},
                                       {XLOG_BTREE_META_CLEANUP, "META_CLEANUP"}};
constexpr opcode_name hash_names[] = {{XLOG_HASH_INIT_META_PAGE, "INIT_META_PAGE"},
                                      {XLOG_HASH_INIT_BITMAP_PAGE, "INIT_BITMAP_PAGE"},
                                      {XLOG_HASH_INSERT, "INSERT"},
                                      {XLOG_HASH_ADD_OVFL_PAGE, "ADD_OVFL_PAGE"},
                                      {XLOG_HASH_SPLIT_ALLOCATE_PAGE, "SPLIT_ALLOCATE_PAGE"},
                                      {XLOG_HASH_SPLIT_PAGE, "SPLIT_PAGE"},
                                      {XLOG_HASH_SPLIT_COMPLETE, "SPLIT_COMPLETE"},
                                      {XLOG_HASH_MOVE_PAGE_CONTENTS, "MOVE_PAGE_CONTENTS"},
                                      {XLOG_HASH_SQUEEZE_PAGE, "SQUEEZE_PAGE"},
                                      {XLOG_HASH_DELETE, "DELETE"},
                                      {XLOG_HASH_SPLIT_CLEANUP, "SPLIT_CLEANUP"},
                                      {XLOG_HASH_UPDATE_META_PAGE, "UPDATE_META_PAGE"},
                                      {XLOG_HASH_VACUUM_ONE_PAGE, "VACUUM_ONE_PAGE"}};
constexpr opcode_name gin_names[] = {{XLOG_GIN_CREATE_PTREE, "CREATE_PTREE"},
                                     {XLOG_GIN_INSERT, "INSERT"},
                                     {XLOG_GIN_SPLIT, "SPLIT"},
                                     {XLOG_GIN_VACUUM_PAGE, "VACUUM_PAGE"},
                                     {XLOG_GIN_DELETE_PAGE, "DELETE_PAGE"},
                                     {XLOG_GIN_UPDATE_META_PAGE, "UPDATE_META_PAGE"},
                                     {XLOG_GIN_INSERT_LISTPAGE, "INSERT_LISTPAGE"},
                                     {XLOG_GIN_DELETE_LISTPAGE, "DELETE_LISTPAGE"},
                                     {XLOG_GIN_VACUUM_DATA_LEAF_PAGE, "VACUUM_DATA_LEAF_PAGE"}};
constexpr opcode_name gist_names[] = {
    {XLOG_GIST_PAGE_UPDATE, "PAGE_UPDATE"}, {XLOG_GIST_DELETE, "DELETE"},
    {XLOG_GIST_PAGE_REUSE, "PAGE_REUSE"},   {XLOG_GIST_PAGE_SPLIT, "PAGE_SPLIT"},
    {XLOG_GIST_PAGE_DELETE, "PAGE_DELETE"}, {XLOG_GIST_ASSIGN_LSN, "ASSIGN_LSN"}};
constexpr opcode_name sequence_names[] = {{XLOG_SEQ_LOG, "LOG"}};
constexpr opcode_name spgist_names[] = {
    {XLOG_SPGIST_ADD_LEAF, "ADD_LEAF"},       {XLOG_SPGIST_MOVE_LEAFS, "MOVE_LEAFS"},
    {XLOG_SPGIST_ADD_NODE, "ADD_NODE"},       {XLOG_SPGIST_SPLIT_TUPLE, "SPLIT_TUPLE"},
    {XLOG_SPGIST_PICKSPLIT, "PICKSPLIT"},     {XLOG_SPGIST_VACUUM_LEAF, "VACUUM_LEAF"},
    {XLOG_SPGIST_VACUUM_ROOT, "VACUUM_ROOT"}, {XLOG_SPGIST_VACUUM_REDIRECT, "VACUUM_REDIRECT"}};
constexpr opcode_name brin_names[] = {{XLOG_BRIN_CREATE_INDEX, "CREATE_INDEX"},
                                      {XLOG_BRIN_INSERT, "INSERT"},
                                      {XLOG_BRIN_INSERT | XLOG_BRIN_INIT_PAGE, "INSERT+INIT"},
                                      {XLOG_BRIN_UPDATE, "UPDATE"},
                                      {XLOG_BRIN_UPDATE | XLOG_BRIN_INIT_PAGE, "UPDATE+INIT"},
                                      {XLOG_BRIN_SAMEPAGE_UPDATE, "SAMEPAGE_UPDATE"},
                                      {XLOG_BRIN_REVMAP_EXTEND, "REVMAP_EXTEND"},
                                      {XLOG_BRIN_DESUMMARIZE, "DESUMMARIZE"}};
constexpr opcode_name commit_ts_names[] = {{COMMIT_TS_ZEROPAGE, "ZEROPAGE"},
                                           {COMMIT_TS_TRUNCATE, "TRUNCATE"}};
constexpr opcode_name origin_names[] = {{XLOG_REPLORIGIN_SET, "SET"},
                                        {XLOG_REPLORIGIN_DROP, "DROP"}};
constexpr opcode_name generic_names[] = {{0, "Generic"}};
constexpr opcode_name message_names[] = {{XLOG_LOGICAL_MESSAGE, "MESSAGE"}};

struct resource_manager_entry {
  const char* name;
  std::span<const opcode_name> opcodes;
};

// In the order of rmgrlist.h.
constexpr resource_manager_entry resource_managers[] = {
    {"XLOG", xlog_names},           {"Transaction", transaction_names},
    {"Storage", storage_names},     {"CLOG", clog_names},
    {"Database", database_names},   {"Tablespace", tablespace_names},
    {"MultiXact", multixact_names}, {"RelMap", relmap_names},
    {"Standby", standby_names},     {"Heap2", heap2_names},
    {"Heap", heap_names},           {"Btree", btree_names},
    {"Hash", hash_names},           {"Gin", gin_names},
    {"Gist", gist_names},           {"Sequence", sequence_names},
    {"SPGist", spgist_names},       {"BRIN", brin_names},
    {"CommitTs", commit_ts_names},  {"ReplicationOrigin", origin_names},
    {"Generic", generic_names},     {"LogicalMessage", message_names}};
static_assert(std::size(resource_managers) == RM_MAX_BUILTIN_ID + 1);

}  // namespace

std::string resource_manager_name(resource_manager rmgr) {
  const auto id = static_cast<uint8_t>(rmgr);
  if (id < std::size(resource_managers)) return resource_managers[id].name;
  return fmt::format("{}{:03}", id >= RM_MIN_CUSTOM_ID ? "custom" : "unknown", id);
}

std::string record_name(resource_manager rmgr, uint8_t info) {
  const auto id = static_cast<uint8_t>(rmgr);
  // A transaction record's top bit says that more information follows.
  const uint8_t opcode =
      info & (rmgr == resource_manager::transaction ? XLOG_XACT_OPMASK : XLR_RMGR_INFO_MASK);
  if (rmgr == resource_manager::generic) return generic_names[0].name;
  if (id < std::size(resource_managers))
    for (const opcode_name& known : resource_managers[id].opcodes)
      if (known.opcode == opcode) return known.name;
  return fmt::format("UNKNOWN ({:x})", info & XLR_RMGR_INFO_MASK);
}

std::string describe(const record& r) {
  return fmt::format("{}/{} at {}", resource_manager_name(r.rmgr), record_name(r.rmgr, r.info),
                     to_string(r.start));
}

}  // namespace zenith::pg
