// Which versions a view has: of values, of keys; the memory of reads, and their errors.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "storage/layers/view_internal.hpp"

namespace zenith::layers {
namespace {

using state_kind = key_history::state_kind;

// More than this is given back to the heap after a thread's read.
constexpr size_t kept_records = 64 * 1024;

}  // namespace

tl::unexpected<error> failed(const key& k, lsn at, const error& cause) {
  return fail(cause.code, fmt::format("{} as of {} cannot be read: {}", to_string(k), to_string(at),
                                      cause.message));
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

error too_deep(const key_history& history) {
  return {errc::limit, fmt::format("it is a copy of {} as of {}, which is a copy itself, too often",
                                   to_string(history.source), to_string(history.source_lsn))};
}

error no_page(const key_history& history) {
  return {errc::corrupt, fmt::format("the record at {} changes it, but it is no page",
                                     to_string(history.records.front().start))};
}

error as_damage(error cause) {
  if (cause.code == errc::not_found || cause.code == errc::out_of_range) cause.code = errc::corrupt;
  return cause;
}

view::view(std::vector<layer_reference> layers, lsn from, lsn until, cached_history cached,
           page_checksums checksums, unknown_keys unknown)
    : layers_(std::move(layers)),
      from_(from),
      until_(until),
      cached_(std::move(cached)),
      checksums_(checksums),
      unknown_(unknown) {
  // What a layer learns later lies after what it had published; only a view that sees such
  // versions as well has to ask again.
  for (uint32_t i = 0; i < layers_.size(); ++i)
    if (layers_[i].until == lsn::max() || layers_[i].data->unknown() != nullptr)
      unknowing_.push_back(i);
}

view view::for_scan() const {
  view scan = *this;
  scan.keeps_pages_ = false;
  return scan;
}

view::scratch::lease::lease(unsigned depth)
    : of_([depth]() -> scratch& {
        static thread_local std::array<std::unique_ptr<scratch>, copy_depth_limit + 1> all;
        if (!all[depth]) all[depth] = std::make_unique<scratch>();
        return *all[depth];
      }()) {}

view::scratch::lease::~lease() {
  key_history& history = of_.history;
  history.clear();
  if (history.records.capacity() > kept_records) history.records = {};
}

result<void> view::check_range(lsn at) const {
  if (at >= from_ && at <= until_) return {};
  return fail(errc::out_of_range, fmt::format("{} is outside what can be read: {} to {}",
                                              to_string(at), to_string(from_), to_string(until_)));
}

result<void> view::check_known(const key& k, lsn at) const {
  if (unknown_ == unknown_keys::passed_over) return {};
  for (const uint32_t i : unknowing_) {
    const layer_reference& one = layers_[i];
    for (const unknown_state* u = one.data->unknown(); u != nullptr; u = u->next)
      if (u->at <= std::min(at, one.until) && u->keys.matches(k))
        return tl::unexpected<error>(not_known(to_string(k), at, u->why));
  }
  return {};
}

result<void> view::collect(const key& k, lsn after, lsn until, key_history& history) const {
  for (const layer_reference& one : layers_) {
    if (one.until <= after || one.after >= until) continue;
    ZENITH_TRY(
        one.data->collect(k, std::max(after, one.after), std::min(until, one.until), history));
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
  if (auto gathered = collect(k, lsn{}, at, history); !gathered)
    return failed(k, at, gathered.error());
  if (!history.records.empty()) return failed(k, at, no_page(history));
  switch (history.state) {
    case state_kind::value:
      return bytes(history.value.begin(), history.value.end());
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

result<bool> view::exists(const key& k, lsn at) const {
  ZENITH_TRY(check_range(at));
  return exists_at(k, at);
}

result<bool> view::exists_at(const key& k, lsn at) const {
  ZENITH_TRY(check_known(k, at));
  key_history history;
  if (auto gathered = collect(k, lsn{}, at, history); !gathered)
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
