// What records there are: they fit what they come after.
#include "tests/simulation/made_wal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace zenith::simulation {
namespace {

using what = change::kind;

constexpr uint32_t heap_blocks_per_map_page = (page_size_bytes - 24) * 4;
constexpr std::array<uint16_t, 4> letter_offsets{100, 200, 7700, 8000};
constexpr uint32_t xids = 3 * page_size_bytes * 4;
constexpr uint32_t relations = 4;

bytes text(chance& by) {
  const std::string t = fmt::format("value {} ", by.next());
  std::string all;
  for (uint64_t i = by.below(12); i > 0; --i) all += t;
  return {as_bytes(all).begin(), as_bytes(all).end()};
}

/// A key whose value is bytes and nothing else.
key plain_key(chance& by) {
  switch (by.below(7)) {
    case 0:
      return key::next_oid();
    case 1:
      return key::next_full_xid();
    case 2:
      return key::tablespace(static_cast<uint32_t>(by.below(3)));
    case 3:
      return key::database(1663, static_cast<uint32_t>(by.below(4)));
    case 4:
      return key::relation_map(1663, static_cast<uint32_t>(by.below(3)));
    case 5:
      return key::replication_origin(static_cast<uint16_t>(by.below(4)));
    default:
      return key::two_phase(static_cast<uint32_t>(by.below(8)));
  }
}

class maker {
 public:
  maker(const history& all, size_t line, chance& by)
      : all_(all), line_(line), by_(by), now_(all.timelines()[line].end) {
    out_.start = by.one_in(8) ? now_ + 8 : now_;
  }

  step_of_wal make(bool unknowns) {
    const uint64_t n = by_.below(100);
    if (n < 45) {
      pages();
    } else if (n < 57) {
      plain();
    } else if (n < 75) {
      size();
    } else if (n < 78) {
      database();
    } else if (n < 92) {
      transactions();
    } else if (n < 98) {
      visibility();
    } else if (n == 98) {
      out_.is_checkpoint = true;
    } else if (unknowns && by_.one_in(3)) {
      unknown();
    } else {
      unredoable();
    }
    out_.end = (out_.start + record_of(out_).size()).aligned();
    // What names the record's end could not know it before.
    for (auto& [index, state, at_end] : sizes_) {
      if (at_end) state.truncate(*at_end, out_.end);
      out_.changes[index].value = state.encode();
    }
    return std::move(out_);
  }

 private:
  relation_id any_relation() {
    const uint32_t database = by_.one_in(4) ? static_cast<uint32_t>(by_.between(6, 8)) : 5;
    return {1663, database, 16384 + static_cast<uint32_t>(by_.below(relations))};
  }
  std::optional<relation_state> state_of(const relation_id& r, fork_number fork) {
    const seen s = all_.read(line_, key::size(r, fork), now_);
    if (s.what != seen::kind::there) return std::nullopt;
    return *relation_state::decode(s.value);
  }
  bool is_known(const relation_id& r, fork_number fork) {
    return all_.read(line_, key::size(r, fork), now_).what != seen::kind::refused;
  }
  change& add(const key& k, what kind) {
    change c;
    c.k = k;
    c.what = kind;
    out_.changes.push_back(std::move(c));
    return out_.changes.back();
  }
  void put_size(const relation_id& r, fork_number fork, relation_state state,
                std::optional<block_number> truncated_to = std::nullopt) {
    add(key::size(r, fork), what::value);
    sizes_.push_back({out_.changes.size() - 1, std::move(state), truncated_to});
  }

  /// Letters and images on one to three pages; some make the fork longer.
  void pages() {
    const relation_id r = any_relation();
    auto state = state_of(r, fork_number::main);
    if (!state) return size();
    const block_number before = state->blocks();
    const block_number wanted = before + (before == 0 || by_.one_in(5) ? 1 : 0);
    std::vector<block_number> blocks;
    for (uint64_t i = by_.between(1, 3); i > 0; --i) {
      // Few of them often, so that histories grow long.
      const auto b = static_cast<block_number>(
          by_.below(by_.one_in(2) ? std::min(wanted, 2u) : std::min(wanted, 12u)));
      if (std::ranges::find(blocks, b) == blocks.end()) blocks.push_back(b);
    }
    if (wanted > before && std::ranges::find(blocks, before) == blocks.end())
      blocks.push_back(before);
    for (const block_number b : blocks) {
      const key k = key::block(r, fork_number::main, b);
      const seen now = b < before ? all_.read(line_, k, now_) : seen{};
      const bool has_content = now.what == seen::kind::there && load<uint16_t>(&now.value[14]) != 0;
      change& c = add(k, has_content && !by_.one_in(5) ? what::letter : what::image);
      c.letter = by_.letter();
      c.offset = letter_offsets[by_.below(letter_offsets.size())];
      c.makes_page = c.what == what::image;
    }
    if (state->extend(wanted)) put_size(r, fork_number::main, *state);
  }

  void plain() {
    const key k = plain_key(by_);
    const uint64_t n = by_.below(10);
    if (n < 2) {
      add(k, what::absent);
    } else if (n == 2) {
      const key source = plain_key(by_);
      if (source == k) return;
      add(k, what::copy).source = source;
    } else {
      add(k, what::value).value = text(by_);
    }
  }

  void size() {
    const relation_id r = any_relation();
    const auto fork = by_.one_in(5) ? fork_number::init : fork_number::main;
    if (!is_known(r, fork)) return plain();
    auto state = state_of(r, fork);
    const uint64_t n = by_.below(8);
    if (!state) {
      state = relation_state::created(out_.start);
      state->extend(static_cast<block_number>(by_.below(8)));
      put_size(r, fork, *state);
    } else if (n == 0) {
      add(key::size(r, fork), what::absent);
    } else if (n < 4 && state->blocks() > 0) {
      put_size(r, fork, *state, static_cast<block_number>(by_.below(state->blocks())));
    } else if (state->extend(state->blocks() + static_cast<block_number>(by_.between(1, 4)))) {
      put_size(r, fork, *state);
    }
  }

  /// CREATE DATABASE: all forks of one database's relations, by one small version each.
  void database() {
    const uint32_t from = by_.one_in(3) ? static_cast<uint32_t>(by_.between(5, 8)) : 5;
    const auto to = static_cast<uint32_t>(by_.between(6, 8));
    if (from == to) return plain();
    for (uint32_t i = 0; i < relations; ++i)
      for (const fork_number fork : {fork_number::main, fork_number::vm, fork_number::init}) {
        const relation_id source{1663, from, 16384 + i};
        const relation_id target{1663, to, 16384 + i};
        if (!is_known(source, fork) || !is_known(target, fork)) continue;
        const auto state = state_of(source, fork);
        if (!state) {
          if (state_of(target, fork)) add(key::size(target, fork), what::absent);
          continue;
        }
        auto made = relation_state::created(out_.start);
        made.extend(state->blocks());
        put_size(target, fork, made);
        add(key::all_blocks(target, fork), what::copy).source = key::all_blocks(source, fork);
      }
  }

  void transactions() {
    const uint64_t n = by_.below(12);
    const auto page_number = static_cast<uint32_t>(by_.below(3));
    const key k = key::slru(slru_kind::xact, page_number);
    if (n == 0) {
      change& c = add(k, what::zero_page);
      c.makes_page = true;
    } else if (n == 1) {
      add(k, what::absent);
    } else if (n == 2) {
      const key other = key::slru(slru_kind::multixact_offsets, page_number);
      const page p = page_of(by_.letter(), fork_number::main);
      add(other, what::value).value.assign(p.data.begin(), p.data.end());
    } else if (n == 3) {
      add(key::slru(slru_kind::multixact_members, page_number), what::copy).source =
          key::slru(slru_kind::multixact_offsets, page_number);
    } else {
      const auto xid = static_cast<uint32_t>(by_.below(xids));
      const key status = key::slru(slru_kind::xact, xid / (page_size_bytes * 4));
      const seen now = all_.read(line_, status, now_);
      if (now.what == seen::kind::refused) return plain();
      change& c = add(status, what::commit);
      c.number = xid;
      c.makes_page = now.what == seen::kind::missing;
      out_.time_us = static_cast<int64_t>(now_.value() * 10 + by_.below(20000));
    }
  }

  /// Clears bits in a visibility map, or writes a whole page of it.
  void visibility() {
    const relation_id r = any_relation();
    if (!is_known(r, fork_number::vm) || !state_of(r, fork_number::main)) return plain();
    auto state = state_of(r, fork_number::vm);
    const bool absent = !state;
    if (absent) state = relation_state::created(out_.start);
    const block_number before = state->blocks();
    if (!absent && before > 0 && by_.one_in(3)) {
      change& c = add(key::block(r, fork_number::vm, static_cast<uint32_t>(by_.below(before))),
                      what::image);
      c.letter = '\x7f';
      c.makes_page = true;
      return;
    }
    const auto map_block = static_cast<block_number>(by_.below(4));
    const auto heap_block =
        static_cast<block_number>(map_block * heap_blocks_per_map_page + by_.below(8));
    const auto heap = state_of(r, fork_number::main);
    if (by_.one_in(3) && heap_block < heap->blocks()) {
      change& c = add(key::block(r, fork_number::main, heap_block), what::image);
      c.letter = by_.letter();
      c.makes_page = true;
    }
    // vm_extend.
    if (before < map_block) {
      change& c = add(key::all_blocks(r, fork_number::vm), what::clear);
      c.number = heap_block;
      c.makes_page = true;
    }
    change& c = add(key::block(r, fork_number::vm, map_block), what::clear);
    c.number = heap_block;
    c.makes_page = map_block >= before;
    if (state->extend(map_block + 1) || absent) put_size(r, fork_number::vm, *state);
  }

  void unredoable() {
    const relation_id r = any_relation();
    const auto state = state_of(r, fork_number::main);
    if (!state || state->blocks() == 0) return plain();
    add(key::block(r, fork_number::main, static_cast<uint32_t>(by_.below(state->blocks()))),
        what::unredoable);
  }

  void unknown() {
    const relation_id r = any_relation();
    switch (by_.below(4)) {
      case 0:
        out_.unknown = key_pattern::size_of(r, fork_number::main);
        break;
      case 1:
        out_.unknown = key_pattern::blocks_of(r, fork_number::vm);
        break;
      case 2:
        out_.unknown = key_pattern::all(slru_kind::multixact_members);
        break;
      default:
        out_.unknown = key_pattern{key_kind::two_phase, static_cast<uint32_t>(by_.below(8))};
    }
  }

  struct size_to_fill {
    size_t index;
    relation_state state;
    std::optional<block_number> truncated_to;
  };
  const history& all_;
  const size_t line_;
  chance& by_;
  const lsn now_;
  step_of_wal out_;
  std::vector<size_to_fill> sizes_;
};

}  // namespace

step_of_wal make_step(const history& all, size_t line, chance& by, bool unknowns) {
  return maker(all, line, by).make(unknowns);
}

std::map<key, bytes> make_base(chance& by) {
  std::map<key, bytes> base;
  for (int i = 0; i < 8; ++i) {
    const key k = plain_key(by);
    base[k] = text(by);
  }
  for (uint32_t i = 0; i < 2; ++i) {
    const relation_id r{1663, 5, 16384 + i};
    const auto blocks = static_cast<block_number>(by.between(1, 6));
    base[key::size(r, fork_number::main)] = relation_state::of_base(blocks).encode();
    for (block_number b = 0; b < blocks; ++b) {
      if (by.one_in(4)) continue;
      const page p = page_of(by.letter(), fork_number::main);
      base[key::block(r, fork_number::main, b)] = bytes(p.data.begin(), p.data.end());
    }
  }
  const page zeros;
  base[key::slru(slru_kind::xact, 0)] = bytes(zeros.data.begin(), zeros.data.end());
  return base;
}

}  // namespace zenith::simulation
