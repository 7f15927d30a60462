// Pages and sizes of forks: what is cached, what came since, redo from the oldest record on.
#include <fmt/format.h>

#include <cstring>

#include "storage/layers/view_internal.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::layers {
namespace {

using state_kind = key_history::state_kind;

key size_key_of(const key& block) { return key::size(block.relation(), block.relation_fork()); }

}  // namespace

result<std::optional<relation_state>> view::relation(const relation_id& relation, fork_number fork,
                                                     lsn at) const {
  ZENITH_TRY(check_range(at));
  ZENITH_TRY_ASSIGN(const known_size size, size_at(key::size(relation, fork), at, 0));
  return size.get();
}

result<view::known_size> view::size_at(const key& k, lsn at, unsigned depth) const {
  ZENITH_TRY(check_known(k, at));
  auto cached = cached_.find_size(k, at);
  if (cached && at <= cached->known_until) return known_size(std::move(cached->data));
  const scratch::lease leased(depth);
  key_history& history = (*leased).history;
  if (auto collected = collect(k, cached ? cached->known_until : lsn{}, at, history); !collected)
    return failed(k, at, collected.error());
  if (cached && !history.found()) {
    cached->known_until = at;
    cached_.keep(k, *cached);
    return known_size(std::move(cached->data));
  }
  std::optional<relation_state> before;
  if (cached && history.state == state_kind::open) before = cached->data->value;
  ZENITH_TRY_ASSIGN(auto size, size_of(k, at, history, std::move(before), depth));
  if (!cached_.is_on()) return known_size(std::move(size));
  const size_entries::entry made{history.newest, at, cached_history::held(size)};
  cached_.keep(k, made);
  return known_size(made.data);
}

result<std::optional<relation_state>> view::size_of(const key& k, lsn at,
                                                    const key_history& history,
                                                    std::optional<relation_state> state,
                                                    unsigned depth) const {
  if (history.state == state_kind::copy) {
    if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
    ZENITH_TRY_ASSIGN(const known_size source,
                      size_at(history.source, history.source_lsn, depth + 1));
    state = source.get();
  } else if (history.state == state_kind::value) {
    auto decoded = relation_state::decode(history.value);
    if (!decoded) return failed(k, at, decoded.error());
    state = std::move(*decoded);
  } else if (history.state == state_kind::absent) {
    state.reset();
  }
  if (history.records.empty()) return state;
  // These were ingested while what lay below could not be read.
  pg::record record;
  for (auto one = history.records.rbegin(); one != history.records.rend(); ++one) {
    if (auto decoded = pg::decode_record(one->bytes, one->start, one->end, record); !decoded)
      return failed(k, at, decoded.error());
    auto extended = redo::extend_fork(record, k.relation(), k.relation_fork(), state);
    if (!extended) return failed(k, at, extended.error());
  }
  return state;
}

result<void> view::read_page(const relation_id& relation, fork_number fork, block_number block,
                             lsn at, page& into) const {
  ZENITH_TRY(check_range(at));
  return block_at(key::block(relation, fork, block), at, into, 0);
}

result<std::shared_ptr<const page>> view::shared_page(const relation_id& relation, fork_number fork,
                                                      block_number block, lsn at) const {
  ZENITH_TRY(check_range(at));
  block_place into;
  ZENITH_TRY(block_at(key::block(relation, fork, block), at, into, 0));
  return into.shared();
}

result<void> view::block_at(const key& k, lsn at, page& into, unsigned depth) const {
  block_place place(into);
  return block_at(k, at, place, depth);
}

result<void> view::block_at(const key& k, lsn at, block_place& place, unsigned depth) const {
  ZENITH_TRY_ASSIGN(const known_size size, size_at(size_key_of(k), at, depth));
  if (!size)
    return fail(errc::not_found,
                fmt::format("relation {} has no {} fork at {}", to_string(k.relation()),
                            to_string(k.relation_fork()), to_string(at)));
  if (k.d >= size->blocks())
    return fail(errc::out_of_range, fmt::format("{}: the fork has {} blocks at {}", to_string(k),
                                                size->blocks(), to_string(at)));
  ZENITH_TRY(check_known(k, at));
  const lsn hidden = size->hidden_until(k.d);
  auto cached = cached_.find_page(k, at);
  if (cached && cached->newest <= hidden) cached.reset();
  if (cached && at <= cached->known_until) {
    place.is(cached->data);
    return {};
  }

  const scratch::lease leased(depth);
  scratch& work = *leased;
  key_history& history = work.history;
  if (auto collected = collect(k, cached ? cached->known_until : hidden, at, history); !collected)
    return failed(k, at, collected.error());
  lsn newest = history.newest;
  if (cached && !history.found()) {
    cached->known_until = at;
    cached_.keep(k, *cached);
    place.is(cached->data);
    return {};
  }
  page& into = place.memory();
  if (history.state != state_kind::open) {
    ZENITH_TRY(base_of_block(k, at, history, into, depth));
  } else if (cached) {
    into = cached->data->value;
  } else {
    ZENITH_TRY_ASSIGN(const lsn since, common_block_at(k, hidden, at, into, depth));
    if (!history.found()) newest = since;
  }
  if (!history.records.empty()) {
    ZENITH_TRY(apply_records(k, at, work, into));
    if (checksums_ == page_checksums::on) pg::set_page_checksum(into, k.d);
  }
  if (cached_.is_on() && keeps_pages_ && newest <= at)
    cached_.keep(k, page_entries::entry{newest, at, place.to_keep()});
  return {};
}

result<void> view::base_of_block(const key& k, lsn at, const key_history& history, page& into,
                                 unsigned depth) const {
  if (history.state == state_kind::value) {
    if (history.value.size() != page_size_bytes)
      return failed(k, at, wrong_size(history.value.size()));
    std::memcpy(into.begin(), history.value.data(), page_size_bytes);
  } else if (history.state == state_kind::copy) {
    if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
    // What is missing there is damage here: the copy says that it was there.
    if (auto copied = block_at(history.source, history.source_lsn, into, depth + 1); !copied)
      return failed(k, at, as_damage(std::move(copied).error()));
  } else {
    into.data.fill(std::byte{0});
  }
  return {};
}

result<void> view::gather_common(const key& k, lsn hidden, lsn at, unsigned depth,
                                 key_history& history) const {
  const key whole = key::all_blocks(k.relation(), k.relation_fork());
  for (lsn until = at;; until = history.records.front().end - 1) {
    history.clear();
    ZENITH_TRY(collect(whole, hidden, until, history));
    if (history.records.empty()) return {};
    // What this record found there is older; what it added it has made.
    if (depth == copy_depth_limit) return tl::unexpected<error>(too_deep(history));
    const lsn start = history.records.front().start;
    ZENITH_TRY_ASSIGN(const auto before,
                      size_at(key::size(k.relation(), k.relation_fork()), start, depth + 1));
    if (!before || k.d >= before->blocks()) return {};
  }
}

result<lsn> view::common_block_at(const key& k, lsn hidden, lsn at, page& into,
                                  unsigned depth) const {
  // A block inside the fork that nothing has written is a page of zeros, as in PostgreSQL.
  into.data.fill(std::byte{0});
  key_history history;
  if (auto gathered = gather_common(k, hidden, at, depth, history); !gathered)
    return failed(k, at, gathered.error());
  if (!history.found()) return hidden + 1;
  if (!history.records.empty()) {
    const scratch::lease leased(depth + 1);
    scratch& work = *leased;
    ZENITH_TRY(work.history.add(history.records.front()));
    ZENITH_TRY(apply_records(k, at, work, into));
    if (checksums_ == page_checksums::on) pg::set_page_checksum(into, k.d);
  } else if (history.state == state_kind::copy) {
    ZENITH_TRY(copied_block_at(k, at, history, into, depth));
  }
  return history.newest;
}

result<void> view::copied_block_at(const key& k, lsn at, const key_history& history, page& into,
                                   unsigned depth) const {
  if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
  const key from = key::block(history.source.relation(), history.source.relation_fork(), k.d);
  auto size = size_at(size_key_of(from), history.source_lsn, depth + 1);
  if (!size) return failed(k, at, size.error());
  if (*size && from.d >= (*size)->blocks()) return {};
  // What is missing there is damage here: the copy says that it was there.
  if (auto copied = block_at(from, history.source_lsn, into, depth + 1); !copied)
    return failed(k, at, as_damage(std::move(copied).error()));
  return {};
}

result<bool> view::slru_page_at(const key& k, lsn at, page& into, unsigned depth) const {
  ZENITH_TRY(check_known(k, at));
  const scratch::lease leased(depth);
  scratch& work = *leased;
  key_history& history = work.history;
  if (auto collected = collect(k, lsn{}, at, history); !collected)
    return failed(k, at, collected.error());
  switch (history.state) {
    case state_kind::value:
      if (history.value.size() != page_size_bytes)
        return failed(k, at, wrong_size(history.value.size()));
      std::memcpy(into.begin(), history.value.data(), page_size_bytes);
      break;
    case state_kind::copy: {
      if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
      ZENITH_TRY_ASSIGN(const bool exists,
                        slru_page_at(history.source, history.source_lsn, into, depth + 1));
      if (!exists && history.records.empty()) return false;
      break;
    }
    case state_kind::zero:
      into.data.fill(std::byte{0});
      break;
    case state_kind::open:
    case state_kind::absent:
      if (history.records.empty()) return false;
      return failed(
          k, at,
          {errc::corrupt, fmt::format("the record at {} changes it, but it does not exist then",
                                      to_string(history.records.back().start))});
  }
  ZENITH_TRY(apply_records(k, at, work, into));
  return true;
}

/// Applies what was gathered, oldest first.
result<void> view::apply_records(const key& k, lsn at, scratch& work, page& into) const {
  const auto& records = work.history.records;
  for (auto it = records.rbegin(); it != records.rend(); ++it) {
    if (auto decoded = pg::decode_record(it->bytes, it->start, it->end, work.record); !decoded)
      return failed(k, at, decoded.error());
    if (auto applied = redo::apply(work.record, k, into); !applied)
      return failed(k, at, applied.error());
  }
  return {};
}

}  // namespace zenith::layers
