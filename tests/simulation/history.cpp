// The naive reader: walks lists, newest first, and applies what it found.
#include "tests/simulation/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/postgres/page_items.hpp"

namespace zenith::simulation {
namespace {

using what = change::kind;

constexpr uint32_t heap_blocks_per_map_byte = 4;
constexpr uint32_t page_header_bytes = 24;
constexpr uint32_t statuses_per_page = page_size_bytes * 4;

const seen missing{};
const seen refused{seen::kind::refused, {}};

seen there(const page& p) { return {seen::kind::there, bytes(p.data.begin(), p.data.end())}; }
page as_page(const bytes& value) {
  page p;
  std::ranges::copy(value, p.data.begin());
  return p;
}

/// What is missing where a copy says that it was there is refused.
seen copied(seen s) { return s.what == seen::kind::missing ? refused : s; }

void make_header(page& p, uint16_t lower, uint16_t upper) {
  store(p.begin() + 12, lower);
  store(p.begin() + 14, upper);
  store(p.begin() + 16, uint16_t{page_size_bytes});
  store(p.begin() + 18, uint16_t{page_size_bytes | 4});
}

}  // namespace

std::string to_string(const seen& s) {
  if (s.what == seen::kind::missing) return "nothing";
  if (s.what == seen::kind::refused) return "a refusal";
  if (s.value.size() != page_size_bytes)
    return fmt::format("{} bytes '{}'", s.value.size(),
                       as_text(byte_view(s.value).first(std::min<size_t>(40, s.value.size()))));
  const page p = as_page(s.value);
  std::string letters;
  for (const size_t offset : {100, 200, 7700, 8000}) letters += static_cast<char>(p.data[offset]);
  return fmt::format("a page of '{}', LSN {}, crc {:08x}", letters, to_string(pg::page_lsn(p)),
                     crc32c(s.value));
}

page page_of(char letter, fork_number fork) {
  page p;
  p.data.fill(static_cast<std::byte>(letter));
  const bool has_hole = fork == fork_number::main;
  std::fill_n(p.data.begin(), page_header_bytes, std::byte{0});
  if (has_hole) std::fill(p.data.begin() + hole_begin, p.data.begin() + hole_end, std::byte{0});
  make_header(p, has_hole ? hole_begin : page_header_bytes,
              has_hole ? hole_end : page_header_bytes);
  return p;
}

history::history(lsn start, std::map<key, bytes> base, bool checksums)
    : base_(std::move(base)), checksums_(checksums) {
  lines_.push_back({{}, start, start, {}, {}});
  index_.emplace_back();
}

size_t history::add_child(size_t parent, lsn start) {
  lines_.push_back({parent, start, start, {}, {}});
  index_.emplace_back();
  return lines_.size() - 1;
}

void history::append(size_t line, step_of_wal step) {
  timeline& t = lines_[line];
  for (size_t i = 0; i < step.changes.size(); ++i)
    index_[line][step.changes[i].k].push_back({t.wal.size(), i});
  if (step.unknown) t.unknowns.push_back(t.wal.size());
  t.end = step.end;
  t.wal.push_back(std::move(step));
}

void history::cut(size_t line, lsn end) {
  timeline& t = lines_[line];
  while (!t.wal.empty() && t.wal.back().end > end) t.wal.pop_back();
  std::erase_if(t.unknowns, [&](size_t step) { return step >= t.wal.size(); });
  for (auto& [k, places] : index_[line])
    while (!places.empty() && places.back().step >= t.wal.size()) places.pop_back();
  t.end = end;
}

std::vector<history::version> history::versions(size_t line, const key& k, lsn after,
                                                lsn at) const {
  std::vector<version> found;
  for (;;) {
    const timeline& t = lines_[line];
    if (const auto own = index_[line].find(k); own != index_[line].end())
      for (auto it = own->second.rbegin(); it != own->second.rend(); ++it) {
        const step_of_wal& step = t.wal[it->step];
        if (step.end > at) continue;
        if (step.end <= after) return found;
        const change& c = step.changes[it->change];
        found.push_back({step.start, step.end, &c});
        if (!c.is_record() || c.makes_page) return found;
      }
    if (!t.parent) return found;
    at = std::min(at, t.start);
    line = *t.parent;
  }
}

template <class Each>
void history::each_step(size_t line, lsn until, const Each& each) const {
  const timeline& t = lines_[line];
  if (t.parent) each_step(*t.parent, std::min(until, t.start), each);
  for (const step_of_wal& step : t.wal)
    if (step.end <= until) each(step);
}

template <class Matches>
bool history::is_unknown(size_t line, lsn at, const Matches& matches) const {
  for (;;) {
    const timeline& t = lines_[line];
    for (const size_t step : t.unknowns)
      if (t.wal[step].end <= at && matches(*t.wal[step].unknown)) return true;
    if (!t.parent) return false;
    at = std::min(at, t.start);
    line = *t.parent;
  }
}

bool history::is_unknown(size_t line, const key& k, lsn at) const {
  return is_unknown(line, at, [&](const key_pattern& keys) { return keys.matches(k); });
}

seen history::read(size_t line, const key& k, lsn at) const {
  if (k.kind == key_kind::relation_block) return block(line, k, at);
  if (k.kind == key_kind::slru_page) return slru_page(line, k, at);
  if (is_unknown(line, k, at)) return refused;
  const auto found = versions(line, k, {}, at);
  if (found.empty()) {
    const auto base = base_.find(k);
    return base == base_.end() ? missing : seen{seen::kind::there, base->second};
  }
  const change& c = *found.front().what;
  if (c.what == what::value) return {seen::kind::there, c.value};
  if (c.what == what::copy) return read(line, c.source, found.front().start);
  return missing;
}

seen history::block(size_t line, const key& k, lsn at) const {
  const seen size = read(line, key::size(k.relation(), k.relation_fork()), at);
  if (size.what != seen::kind::there) return size;
  const relation_state state = *relation_state::decode(size.value);
  if (k.d >= state.blocks()) return missing;
  if (is_unknown(line, k, at)) return refused;
  const lsn hidden = state.hidden_until(k.d);
  auto found = versions(line, k, hidden, at);
  seen begin = there(page{});
  if (!found.empty() && !found.back().what->is_record()) {
    const change& c = *found.back().what;
    if (c.what == what::value) begin.value = c.value;
    if (c.what == what::copy) begin = copied(read(line, c.source, found.back().start));
    found.pop_back();
  } else if (found.empty() || !found.back().what->makes_page) {
    begin = block_of_all(line, k, hidden, at);
  }
  if (begin.what == seen::kind::refused) return begin;
  return found.empty() ? begin : apply(k, found, as_page(begin.value));
}

/// A block that has no version of its own, or only changes: what its fork is a copy of has it, or
/// the record that added it makes it, or the base has it, or it is zeros.
seen history::block_of_all(size_t line, const key& k, lsn hidden, lsn at) const {
  if (!hidden.is_valid())
    if (const auto base = base_.find(k); base != base_.end())
      return {seen::kind::there, base->second};
  const key all = key::all_blocks(k.relation(), k.relation_fork());
  const key size_key = key::size(k.relation(), k.relation_fork());
  for (;;) {
    const auto found = versions(line, all, hidden, at);
    if (found.empty()) return there(page{});
    const version& newest = found.front();
    if (newest.what->what == what::copy) {
      const key from =
          key::block(newest.what->source.relation(), newest.what->source.relation_fork(), k.d);
      const seen size = read(line, key::size(from.relation(), from.relation_fork()), newest.start);
      if (size.what == seen::kind::refused) return size;
      if (size.what == seen::kind::there && k.d >= relation_state::decode(size.value)->blocks())
        return there(page{});
      return copied(read(line, from, newest.start));
    }
    const seen before = read(line, size_key, newest.start);
    if (before.what == seen::kind::refused) return before;
    if (before.what == seen::kind::missing || k.d >= relation_state::decode(before.value)->blocks())
      return apply(k, {newest}, page{});
    at = newest.at - 1;
  }
}

seen history::slru_page(size_t line, const key& k, lsn at) const {
  if (is_unknown(line, k, at)) return refused;
  auto found = versions(line, k, {}, at);
  seen begin = missing;
  if (found.empty() || (found.back().what->is_record() && !found.back().what->makes_page)) {
    if (const auto base = base_.find(k); base != base_.end())
      begin = {seen::kind::there, base->second};
  } else if (found.back().what->makes_page) {
    begin = there(page{});
  } else {
    const change& c = *found.back().what;
    if (c.what == what::value) begin = {seen::kind::there, c.value};
    if (c.what == what::copy) begin = read(line, c.source, found.back().start);
    found.pop_back();
  }
  if (found.empty() || begin.what == seen::kind::refused) return begin;
  return begin.what == seen::kind::missing ? refused : apply(k, found, as_page(begin.value));
}

/// `records`: newest first.
seen history::apply(const key& k, const std::vector<version>& records, page p) const {
  for (auto it = records.rbegin(); it != records.rend(); ++it) {
    const change& c = *it->what;
    switch (c.what) {
      case what::image:
        p = page_of(c.letter, k.relation_fork());
        pg::set_page_lsn(p, it->at);
        break;
      case what::letter:
        if (p.data == page{}.data) return refused;
        p.data[c.offset] = static_cast<std::byte>(c.letter);
        pg::set_page_lsn(p, it->at);
        break;
      case what::clear: {
        if (load<uint16_t>(p.begin() + 14) == 0)
          make_header(p = page{}, page_header_bytes, page_size_bytes);
        const uint32_t per_page = (page_size_bytes - page_header_bytes) * heap_blocks_per_map_byte;
        const uint32_t in_page = c.number % per_page;
        if (c.number / per_page == k.d)
          p.data[page_header_bytes + in_page / 4] &= ~(std::byte{3} << (in_page % 4 * 2));
        break;
      }
      case what::commit: {
        if (c.number / statuses_per_page != k.d) break;
        std::byte& status = p.data[c.number % statuses_per_page / 4];
        const unsigned shift = c.number % 4 * 2;
        status = (status & ~(std::byte{3} << shift)) | (std::byte{1} << shift);
        break;
      }
      case what::zero_page:
        p = page{};
        break;
      default:
        return refused;
    }
  }
  if (checksums_ && k.kind == key_kind::relation_block) pg::set_page_checksum(p, k.d);
  return there(p);
}

std::vector<key> history::all_keys(size_t line) const {
  std::set<key> all;
  for (const auto& [k, value] : base_) all.insert(k);
  for (std::optional<size_t> at = line; at; at = lines_[*at].parent)
    for (const auto& [k, places] : index_[*at]) all.insert(k);
  return {all.begin(), all.end()};
}

std::optional<std::vector<key>> history::keys(size_t line, const key& first, const key& last,
                                              lsn at) const {
  const auto matches = [&](const key_pattern& keys) { return keys.may_lie_between(first, last); };
  if (is_unknown(line, at, matches)) return std::nullopt;
  std::vector<key> found;
  for (const key& k : all_keys(line)) {
    if (k < first || k > last) continue;
    const seen s = read(line, k, at);
    if (s.what == seen::kind::refused) return std::nullopt;
    if (s.what == seen::kind::there) found.push_back(k);
  }
  return found;
}

std::optional<layers::transaction_end> history::first_later_than(size_t line, int64_t time_us,
                                                                 lsn until) const {
  std::optional<layers::transaction_end> first;
  each_step(line, until, [&](const step_of_wal& step) {
    if (!first && step.time_us && *step.time_us > time_us)
      first = {*step.time_us, step.start, step.end};
  });
  return first;
}

std::optional<int64_t> history::newest_time(size_t line, lsn until) const {
  std::optional<int64_t> newest;
  each_step(line, until, [&](const step_of_wal& step) {
    if (step.time_us) newest = std::max(newest.value_or(INT64_MIN), *step.time_us);
  });
  return newest;
}

}  // namespace zenith::simulation
