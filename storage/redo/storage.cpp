// The storage manager's records: forks that are created and truncated (storage.c, smgr_redo).
#include <fmt/format.h>

#include <algorithm>

#include "storage/postgres/free_space_map.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/redo/fork_changes.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/visibilitymapdefs.h>
#include <catalog/storage_xlog.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

constexpr size_t page_header_size_bytes = MAXALIGN(SizeOfPageHeaderData);
constexpr uint32_t vm_map_size_bytes = page_size_bytes - page_header_size_bytes;
constexpr uint32_t heap_blocks_per_vm_byte = 8 / BITS_PER_HEAPBLOCK;
constexpr uint32_t heap_blocks_per_vm_page = vm_map_size_bytes * heap_blocks_per_vm_byte;

relation_id to_relation_id(const RelFileNode& node) {
  return {node.spcNode, node.dbNode, node.relNode};
}

/// What a truncation of the heap leaves of a map fork: its blocks, and whether the last of them
/// keeps a part only, whose rest is cleared.
struct kept_map {
  block_number blocks = 0;
  bool clears_last = false;
};

/// visibilitymap_prepare_truncate (visibilitymap.c).
kept_map kept_vm(block_number heap_blocks) {
  const block_number whole = heap_blocks / heap_blocks_per_vm_page;
  const bool partial = heap_blocks % heap_blocks_per_vm_page != 0;
  return {whole + (partial ? 1 : 0), partial};
}

/// FreeSpaceMapPrepareTruncateRel (freespace.c).
kept_map kept_fsm(block_number heap_blocks) {
  const block_number first_removed = pg::fsm_leaf_block(heap_blocks / pg::fsm_slots_per_page);
  const bool partial = heap_blocks % pg::fsm_slots_per_page != 0;
  return {first_removed + (partial ? 1 : 0), partial};
}

result<xl_smgr_truncate> parse_truncate(const pg::record& record) {
  return read_main<xl_smgr_truncate>(record);
}

/// Of a fork whose state could not be read the record is told itself, for who can read it later
/// (extend_fork).
result<void> change_unread(change_sink& sink, const relation_id& relation, fork_number fork,
                           const error& why) {
  if (why.code == errc::io) return tl::unexpected<error>(why);
  sink.put_record(key::size(relation, fork), record_effect::changes);
  return {};
}

bool cut(const pg::record& record, block_number blocks, std::optional<relation_state>& state) {
  if (!state || state->blocks() <= blocks) return false;
  state->truncate(blocks, record.end);
  return true;
}

/// Cuts a fork; a fork that does not exist or is shorter stays as it is.
result<void> cut_fork(const pg::record& record, change_sink& sink, const relation_id& relation,
                      fork_number fork, kept_map kept) {
  auto known = sink.current_relation(relation, fork);
  if (!known) {
    if (kept.clears_last)
      sink.put_record(key::block(relation, fork, kept.blocks - 1), record_effect::changes);
    return change_unread(sink, relation, fork, known.error());
  }
  auto& state = *known;
  if (!state) return {};
  if (kept.clears_last && state->blocks() >= kept.blocks)
    sink.put_record(key::block(relation, fork, kept.blocks - 1), record_effect::changes);
  if (cut(record, kept.blocks, state)) sink.put_relation(relation, fork, *state);
  return {};
}

/// The heap's own pages; the fork is made where it does not exist. The upper pages of the free
/// space map, which smgr_redo updates afterwards, are hints and stay as they are.
result<void> ingest_truncate(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto truncate, parse_truncate(record));
  const relation_id relation = to_relation_id(truncate.rnode);
  const auto main = sink.current_relation(relation, fork_number::main);
  if (!main) {
    ZENITH_TRY(change_unread(sink, relation, fork_number::main, main.error()));
  } else if (!*main) {
    sink.put_relation(relation, fork_number::main, relation_state::created(record.end));
  } else if ((truncate.flags & SMGR_TRUNCATE_HEAP) != 0) {
    ZENITH_TRY(cut_fork(record, sink, relation, fork_number::main, {truncate.blkno, false}));
  }
  if ((truncate.flags & SMGR_TRUNCATE_FSM) != 0)
    ZENITH_TRY(cut_fork(record, sink, relation, fork_number::fsm, kept_fsm(truncate.blkno)));
  if ((truncate.flags & SMGR_TRUNCATE_VM) != 0)
    ZENITH_TRY(cut_fork(record, sink, relation, fork_number::vm, kept_vm(truncate.blkno)));
  return {};
}

result<void> ingest_create(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto create, read_main<xl_smgr_create>(record));
  // Read as a number: a damaged record's may be none of the enumeration's.
  const auto number = load<int32_t>(record.main_data.data() + offsetof(xl_smgr_create, forkNum));
  if (number < MAIN_FORKNUM || number > MAX_FORKNUM)
    return fail(errc::corrupt, fmt::format("there is no fork {}", number));
  const relation_id relation = to_relation_id(create.rnode);
  const auto fork = static_cast<fork_number>(number);
  const auto state = sink.current_relation(relation, fork);
  if (!state) return change_unread(sink, relation, fork, state.error());
  if (!*state) sink.put_relation(relation, fork, relation_state::created(record.end));
  return {};
}

/// Clears the bits of heap blocks from `heap_blocks` on in the map page that holds the first of
/// them (visibilitymap_prepare_truncate). The page keeps its LSN.
void clear_vm_tail(page& p, block_number heap_blocks) {
  if (pg::page_is_new(p)) pg::page_init(p, 0);  // vm_readbuf
  const uint32_t block_in_page = heap_blocks % heap_blocks_per_vm_page;
  std::byte* const map = p.data.data() + page_header_size_bytes;
  const uint32_t byte = block_in_page / heap_blocks_per_vm_byte;
  const uint32_t bit = block_in_page % heap_blocks_per_vm_byte * BITS_PER_HEAPBLOCK;
  std::fill(map + byte + 1, map + vm_map_size_bytes, std::byte{0});
  map[byte] &= std::byte{static_cast<uint8_t>((1u << bit) - 1)};
}

}  // namespace

result<bool> change_fork_by_storage(const pg::record& record, const relation_id& relation,
                                    fork_number fork, std::optional<relation_state>& state) {
  if (record.opcode() == XLOG_SMGR_CREATE) {
    ZENITH_TRY_ASSIGN(const auto create, read_main<xl_smgr_create>(record));
    const auto number = load<int32_t>(record.main_data.data() + offsetof(xl_smgr_create, forkNum));
    const bool is_this =
        to_relation_id(create.rnode) == relation && number == static_cast<int32_t>(fork);
    if (!is_this || state) return false;
    state = relation_state::created(record.end);
    return true;
  }
  if (record.opcode() != XLOG_SMGR_TRUNCATE) return false;
  ZENITH_TRY_ASSIGN(const auto truncate, parse_truncate(record));
  if (to_relation_id(truncate.rnode) != relation) return false;
  switch (fork) {
    case fork_number::main:
      if (!state) {
        state = relation_state::created(record.end);
        return true;
      }
      return (truncate.flags & SMGR_TRUNCATE_HEAP) != 0 && cut(record, truncate.blkno, state);
    case fork_number::fsm:
      return (truncate.flags & SMGR_TRUNCATE_FSM) != 0 &&
             cut(record, kept_fsm(truncate.blkno).blocks, state);
    case fork_number::vm:
      return (truncate.flags & SMGR_TRUNCATE_VM) != 0 &&
             cut(record, kept_vm(truncate.blkno).blocks, state);
    default:
      return false;
  }
}

result<void> ingest_storage(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case XLOG_SMGR_CREATE:
      return ingest_create(record, sink);
    case XLOG_SMGR_TRUNCATE:
      return ingest_truncate(record, sink);
    default:
      return fail(errc::unsupported, "the storage resource manager has no such operation");
  }
}

result<void> apply_storage(const pg::record& record, const pg::block_reference*, const key& k,
                           page& p) {
  if (record.opcode() != XLOG_SMGR_TRUNCATE || k.kind != key_kind::relation_block)
    return fail(errc::corrupt, "the record does not change this page");
  ZENITH_TRY_ASSIGN(const auto truncate, parse_truncate(record));
  const bool is_vm = k.relation_fork() == fork_number::vm;
  const kept_map kept = is_vm ? kept_vm(truncate.blkno) : kept_fsm(truncate.blkno);
  if ((!is_vm && k.relation_fork() != fork_number::fsm) || !kept.clears_last ||
      k.d + 1 != kept.blocks || k.relation() != to_relation_id(truncate.rnode))
    return fail(errc::corrupt, "the truncation does not change this page");
  if (is_vm) {
    clear_vm_tail(p, truncate.blkno);
  } else {
    pg::clear_fsm_slots(p, truncate.blkno % pg::fsm_slots_per_page);
  }
  return {};
}

}  // namespace zenith::redo
