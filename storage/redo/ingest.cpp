// ingest: what all records have in common, and which resource manager says the rest.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "storage/redo/counters.hpp"
#include "storage/redo/fork_changes.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/visibility.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <catalog/pg_control.h>
#include <storage/block.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

constexpr auto ingest_functions = [] {
  using rm = pg::resource_manager;
  std::array<ingest_function, 256> table{};
  const auto set = [&table](rm rmgr, ingest_function ingest) {
    table[static_cast<size_t>(rmgr)] = ingest;
  };
  set(rm::xlog, ingest_xlog);
  set(rm::transaction, ingest_transaction);
  set(rm::storage, ingest_storage);
  set(rm::clog, ingest_clog);
  set(rm::database, ingest_database);
  set(rm::tablespace, ingest_tablespace);
  set(rm::multixact, ingest_multixact);
  set(rm::relmap, ingest_relmap);
  set(rm::standby, ingest_standby);
  set(rm::heap2, ingest_heap2);
  set(rm::heap, ingest_heap);
  set(rm::commit_ts, ingest_commit_ts);
  set(rm::replication_origin, ingest_replication_origin);
  // The others change the pages that they reference, and nothing else.
  return table;
}();

/// XLOG_FPI_FOR_HINT may come with no image, where full_page_writes is off: it changes nothing.
bool changes_nothing(const pg::record& record, const pg::block_reference& block) {
  return record.rmgr == pg::resource_manager::xlog && record.opcode() == XLOG_FPI_FOR_HINT &&
         !block.has_image;
}

bool is_restored(const pg::block_reference& block) { return block.has_image && block.image.apply; }

bool same_fork(const pg::block_reference& a, const pg::block_reference& b) {
  return a.fork == b.fork && a.relation == b.relation;
}

bool extend(const pg::record& record, block_number blocks, std::optional<relation_state>& state) {
  const bool existed = state.has_value();
  // Created before the record's end, since versions up to the creation do not count.
  if (!existed) state = relation_state::created(record.start);
  return state->extend(blocks) || !existed;
}

/// Makes the fork of blocks[first] as long as this record's references to it need, once for all of
/// them (XLogReadBufferExtended extends, and creates what does not exist).
result<void> grow_fork(const pg::record& record, size_t first, change_sink& sink) {
  const auto blocks = record.blocks();
  for (size_t i = 0; i < first; ++i)
    if (same_fork(blocks[i], blocks[first])) return {};
  block_number last = 0;
  for (size_t i = first; i < blocks.size(); ++i)
    if (same_fork(blocks[i], blocks[first])) last = std::max(last, blocks[i].block);
  if (last == InvalidBlockNumber)
    return fail(errc::corrupt,
                fmt::format("the record refers to block {} of relation {}, which no fork has", last,
                            to_string(blocks[first].relation)));

  const auto& [relation, fork] = std::tie(blocks[first].relation, blocks[first].fork);
  const auto* const known = sink.relation_at_hand(relation, fork);
  if (known != nullptr && *known && (*known)->blocks() > last) return {};
  auto state = sink.current_relation(relation, fork);
  if (!state) {
    ZENITH_TRY(sink.extend_unread(relation, fork, last + 1, state.error()));
    return {};
  }
  if (extend(record, last + 1, *state)) sink.put_relation(relation, fork, std::move(*state));
  return {};
}

result<void> put_blocks(const pg::record& record, change_sink& sink) {
  const auto blocks = record.blocks();
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (changes_nothing(record, blocks[i])) continue;
    ZENITH_TRY(grow_fork(record, i, sink));
    sink.put_record(blocks[i].page_key(),
                    blocks[i].initialises() ? record_effect::initialises : record_effect::changes);
  }
  return {};
}

}  // namespace

result<bool> extend_fork(const pg::record& record, const relation_id& relation, fork_number fork,
                         std::optional<relation_state>& state) {
  bool changed = false;
  for (const pg::block_reference& block : record.blocks())
    if (block.relation == relation && block.fork == fork && block.block != InvalidBlockNumber)
      changed |= extend(record, block.block + 1, state);
  if (record.rmgr == pg::resource_manager::storage)
    return change_fork_by_storage(record, relation, fork, state);
  const bool is_of_heap =
      record.rmgr == pg::resource_manager::heap || record.rmgr == pg::resource_manager::heap2;
  if (fork != fork_number::vm || !is_of_heap) return changed;
  ZENITH_TRY_ASSIGN(const auto cleared, visibility_cleared_by(record));
  if (cleared.relation != relation) return changed;
  for (uint8_t i = 0; i < cleared.count; ++i)
    changed |=
        extend(record, visibility_position_of(cleared.entries[i].heap_block).map_block + 1, state);
  return changed;
}

result<void> ingest(const pg::record& record, change_sink& sink) {
  const auto ingest_rest = ingest_functions[static_cast<size_t>(record.rmgr)];
  const auto put_all = [&]() -> result<void> {
    ZENITH_TRY(put_blocks(record, sink));
    ZENITH_TRY(advance_counters(record, sink));
    if (ingest_rest != nullptr) return ingest_rest(record, sink);
    if (pg::is_extension(record.rmgr) && !std::ranges::all_of(record.blocks(), is_restored))
      return tl::unexpected<error>(no_redo_for(record));
    return {};
  };
  if (auto put = put_all(); !put)
    return fail(put.error().code, fmt::format("{}: {}", pg::describe(record), put.error().message));
  return {};
}

}  // namespace zenith::redo
