// Reconstruction: versions from the newest layer to the oldest, then redo from the oldest on.
#include "storage/layers/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::layers {

/// What one read needs of memory. Each thread keeps one for each depth, so that a read takes no
/// memory from the heap once the thread has read a few pages.
struct view::scratch {
  key_history history;
  pg::record record;
};

namespace {

using state_kind = key_history::state_kind;

// More than this is given back to the heap before a thread's next read.
constexpr size_t kept_value_bytes = 256 * 1024;
constexpr size_t kept_records = 64 * 1024;

error named(const key& k, lsn at, const error& cause) {
  return {cause.code, fmt::format("{} as of {} cannot be read: {}", to_string(k), to_string(at),
                                  cause.message)};
}

tl::unexpected<error> failed(const key& k, lsn at, const error& cause) {
  return tl::unexpected<error>(named(k, at, cause));
}

error not_known(const std::string& what, lsn at, const error& why) {
  return {why.code,
          fmt::format("{} as of {} cannot be told, because a record that may have changed "
                      "it was not understood: {}",
                      what, to_string(at), why.message)};
}

error wrong_size(size_t found) {
  return {errc::corrupt, fmt::format("its base has {} bytes, expected {}", found, page_size_bytes)};
}

error as_damage(error cause) {
  if (cause.code == errc::not_found || cause.code == errc::out_of_range) cause.code = errc::corrupt;
  return cause;
}

error too_deep(const key_history& history) {
  return {errc::limit, fmt::format("it is a copy of {} as of {}, which is a copy itself, too often",
                                   to_string(history.source), to_string(history.source_lsn))};
}

}  // namespace

view::view(std::vector<layer_reference> layers, lsn from, lsn until,
           std::shared_ptr<page_cache> cache, page_checksums checksums, unknown_keys unknown)
    : layers_(std::move(layers)),
      from_(from),
      until_(until),
      cache_(std::move(cache)),
      checksums_(checksums),
      unknown_(unknown) {}

view view::for_scan() const {
  view scan = *this;
  scan.fills_cache_ = false;
  return scan;
}

view::scratch& view::scratch_of(unsigned depth) {
  static thread_local std::array<std::unique_ptr<scratch>, copy_depth_limit + 1> all;
  if (!all[depth]) all[depth] = std::make_unique<scratch>();
  key_history& history = all[depth]->history;
  history.clear();
  if (history.value.capacity() > kept_value_bytes) history.value = {};
  if (history.records.capacity() > kept_records) history.records = {};
  return *all[depth];
}

result<void> view::check_range(lsn at) const {
  if (at >= from_ && at <= until_) return {};
  return fail(errc::out_of_range, fmt::format("{} is outside what can be read: {} to {}",
                                              to_string(at), to_string(from_), to_string(until_)));
}

result<void> view::check_known(const key& k, lsn at) const {
  if (unknown_ == unknown_keys::passed_over) return {};
  for (const layer_reference& one : layers_)
    for (const unknown_state* u = one.data->unknown(); u != nullptr; u = u->next)
      if (u->at <= std::min(at, one.until) && u->keys.matches(k))
        return tl::unexpected<error>(not_known(to_string(k), at, u->why));
  return {};
}

result<void> view::gather(const key& k, lsn after, lsn at, key_history& history) const {
  for (const layer_reference& one : layers_) {
    ZENITH_TRY(one.data->collect(k, after, std::min(at, one.until), history));
    if (history.state != state_kind::open) break;
  }
  return {};
}

result<std::optional<bytes>> view::value(const key& k, lsn at) const {
  ZENITH_TRY(check_range(at));
  return value_at(k, at, 0);
}

result<std::optional<bytes>> view::value_at(const key& k, lsn at, unsigned depth) const {
  if (k.kind == key_kind::relation_block || k.kind == key_kind::slru_page) {
    page p;
    if (k.kind == key_kind::relation_block) {
      ZENITH_TRY(block_at(k, at, p, depth));
    } else {
      ZENITH_TRY_ASSIGN(const bool exists, slru_page_at(k, at, p, depth));
      if (!exists) return std::nullopt;
    }
    return bytes(p.data.begin(), p.data.end());
  }
  ZENITH_TRY(check_known(k, at));
  key_history history;
  if (auto gathered = gather(k, lsn{}, at, history); !gathered)
    return failed(k, at, gathered.error());
  if (!history.records.empty())
    return failed(k, at,
                  {errc::corrupt, fmt::format("the record at {} changes it, but it is no page",
                                              to_string(history.records.front().start))});
  switch (history.state) {
    case state_kind::value:
      return std::move(history.value);
    case state_kind::copy:
      if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
      return value_at(history.source, history.source_lsn, depth + 1);
    case state_kind::open:
    case state_kind::zero:
    case state_kind::absent:
      break;
  }
  return std::nullopt;
}

result<std::optional<relation_state>> view::relation(const relation_id& relation, fork_number fork,
                                                     lsn at) const {
  ZENITH_TRY(check_range(at));
  return relation_at(relation, fork, at, 0);
}

result<std::optional<relation_state>> view::relation_at(const relation_id& relation,
                                                        fork_number fork, lsn at,
                                                        unsigned depth) const {
  const key k = key::size(relation, fork);
  ZENITH_TRY(check_known(k, at));
  key_history& history = scratch_of(depth).history;
  if (auto gathered = gather(k, lsn{}, at, history); !gathered)
    return failed(k, at, gathered.error());
  if (history.state == state_kind::copy) {
    if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
    return relation_at(history.source.relation(), history.source.relation_fork(),
                       history.source_lsn, depth + 1);
  }
  if (history.state != state_kind::value) return std::nullopt;
  auto state = relation_state::decode(history.value);
  if (!state) return failed(k, at, state.error());
  return std::move(*state);
}

result<void> view::read_page(const relation_id& relation, fork_number fork, block_number block,
                             lsn at, page& into) const {
  ZENITH_TRY(check_range(at));
  return block_at(key::block(relation, fork, block), at, into, 0);
}

result<void> view::block_at(const key& k, lsn at, page& into, unsigned depth) const {
  ZENITH_TRY_ASSIGN(const std::optional<relation_state> size,
                    relation_at(k.relation(), k.relation_fork(), at, depth));
  if (!size)
    return fail(errc::not_found,
                fmt::format("relation {} has no {} fork at {}", to_string(k.relation()),
                            to_string(k.relation_fork()), to_string(at)));
  if (k.d >= size->blocks())
    return fail(errc::out_of_range, fmt::format("{}: the fork has {} blocks at {}", to_string(k),
                                                size->blocks(), to_string(at)));
  ZENITH_TRY(check_known(k, at));
  const lsn hidden = size->hidden_until(k.d);

  scratch& work = scratch_of(depth);
  key_history& history = work.history;
  page_cache::entry cached;  // where its page is there, the page that records start from
  uint64_t newest_layer = 0;
  for (const layer_reference& one : layers_) {
    const lsn until = std::min(at, one.until);
    std::optional<page_cache::entry> hit;
    if (cache_) hit = cache_->find(one.data->identity(), k, until);
    if (hit && hit->newest <= hidden) hit.reset();
    auto collected = one.data->collect(k, hit ? hit->newest : hidden, until, history);
    if (!collected) return failed(k, at, collected.error());
    if (newest_layer == 0 && (hit || history.found())) newest_layer = one.data->identity();
    if (history.state != state_kind::open) break;
    if (hit) {
      cached = std::move(*hit);
      break;
    }
  }

  switch (history.state) {
    case state_kind::value:
      if (history.value.size() != page_size_bytes)
        return failed(k, at, wrong_size(history.value.size()));
      std::memcpy(into.begin(), history.value.data(), page_size_bytes);
      break;
    case state_kind::copy:
      if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
      // What is missing there is damage here: the copy says that it was there.
      if (auto copied = block_at(history.source, history.source_lsn, into, depth + 1); !copied)
        return failed(k, at, as_damage(std::move(copied).error()));
      break;
    case state_kind::open:
      if (cached.data)
        into = *cached.data;
      else
        ZENITH_TRY(common_block_at(k, hidden, at, into, depth));
      break;
    case state_kind::zero:
    case state_kind::absent:
      into.data.fill(std::byte{0});
      break;
  }
  if (history.records.empty()) return {};
  ZENITH_TRY(apply_records(k, at, work, into));
  if (checksums_ == page_checksums::on) pg::set_page_checksum(into, k.d);
  if (cache_ && fills_cache_) cache_->put(newest_layer, k, history.records.front().end, into);
  return {};
}

result<void> view::gather_common(const key& k, lsn hidden, lsn at, unsigned depth,
                                 key_history& history) const {
  const key whole = key::all_blocks(k.relation(), k.relation_fork());
  for (lsn until = at;; until = history.records.front().end - 1) {
    history.clear();
    ZENITH_TRY(gather(whole, hidden, until, history));
    if (history.records.empty()) return {};
    // What this record found there is older; what it added it has made.
    if (depth == copy_depth_limit) return tl::unexpected<error>(too_deep(history));
    const lsn start = history.records.front().start;
    ZENITH_TRY_ASSIGN(const auto before,
                      relation_at(k.relation(), k.relation_fork(), start, depth + 1));
    if (!before || k.d >= before->blocks()) return {};
  }
}

result<void> view::common_block_at(const key& k, lsn hidden, lsn at, page& into,
                                   unsigned depth) const {
  // A block inside the fork that nothing has written is a page of zeros, as in PostgreSQL.
  into.data.fill(std::byte{0});
  key_history history;
  if (auto gathered = gather_common(k, hidden, at, depth, history); !gathered)
    return failed(k, at, gathered.error());
  if (history.state == state_kind::copy) return copied_block_at(k, at, history, into, depth);
  if (history.records.empty()) return {};
  scratch& work = scratch_of(depth + 1);
  work.history.records.push_back(history.records.front());
  ZENITH_TRY(apply_records(k, at, work, into));
  if (checksums_ == page_checksums::on) pg::set_page_checksum(into, k.d);
  return {};
}

result<void> view::copied_block_at(const key& k, lsn at, const key_history& history, page& into,
                                   unsigned depth) const {
  if (depth == copy_depth_limit) return failed(k, at, too_deep(history));
  const key from = key::block(history.source.relation(), history.source.relation_fork(), k.d);
  auto size = relation_at(from.relation(), from.relation_fork(), history.source_lsn, depth + 1);
  if (!size) return failed(k, at, size.error());
  if (*size && from.d >= (*size)->blocks()) return {};
  // What is missing there is damage here: the copy says that it was there.
  if (auto copied = block_at(from, history.source_lsn, into, depth + 1); !copied)
    return failed(k, at, as_damage(std::move(copied).error()));
  return {};
}

result<bool> view::slru_page_at(const key& k, lsn at, page& into, unsigned depth) const {
  ZENITH_TRY(check_known(k, at));
  scratch& work = scratch_of(depth);
  const key_history& history = work.history;
  if (auto gathered = gather(k, lsn{}, at, work.history); !gathered)
    return failed(k, at, gathered.error());
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

result<bool> view::exists(const key& k, lsn at) const {
  ZENITH_TRY(check_range(at));
  return exists_at(k, at);
}

result<bool> view::exists_at(const key& k, lsn at) const {
  ZENITH_TRY(check_known(k, at));
  key_history history;
  if (auto gathered = gather(k, lsn{}, at, history); !gathered)
    return failed(k, at, gathered.error());
  if (!history.records.empty()) return true;
  if (history.state != state_kind::copy) return history.state == state_kind::value;
  ZENITH_TRY_ASSIGN(const auto copied, value_at(k, at, 0));
  return copied.has_value();
}

result<std::vector<key>> view::keys(const key& first, const key& last, lsn at) const {
  ZENITH_TRY(check_range(at));
  std::vector<key> found;
  for (const layer_reference& one : layers_) {
    if (unknown_ == unknown_keys::refused)
      for (const unknown_state* u = one.data->unknown(); u != nullptr; u = u->next)
        if (u->at <= std::min(at, one.until) && u->keys.may_lie_between(first, last))
          return tl::unexpected<error>(not_known(
              "what there is from " + to_string(first) + " to " + to_string(last), at, u->why));
    ZENITH_TRY(one.data->list(first, last, std::min(at, one.until),
                              [&](const key& k) { found.push_back(k); }));
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<key> existing;
  existing.reserve(found.size());
  for (const key& k : found) {
    ZENITH_TRY_ASSIGN(const bool exists, exists_at(k, at));
    if (exists) existing.push_back(k);
  }
  return existing;
}

}  // namespace zenith::layers
