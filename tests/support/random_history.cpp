// Records by chance, and all that two views say of their keys.
#include "tests/support/random_history.hpp"

#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::testing {
namespace {

using layers::version_kind;

constexpr block_number heap_blocks_per_map_page = 32'672;  // visibilitymap.c, HEAPBLOCKS_PER_PAGE
constexpr block_number map_blocks = 4;

page page_of(char letter) {
  page p;
  p.data.fill(static_cast<std::byte>(letter));
  store(p.begin() + 12, uint16_t{24});    // pd_lower
  store(p.begin() + 14, uint16_t{24});    // pd_upper
  store(p.begin() + 16, uint16_t{8192});  // pd_special
  pg::set_page_lsn(p, lsn{});
  return p;
}

bytes image_record(const relation_id& relation, block_number block, char letter) {
  const page p = page_of(letter);
  record_builder builder(pg::resource_manager::xlog, 0xB0);
  builder.add(
      {.relation = relation,
       .number = block,
       .full_page = record_builder::image{bytes(p.data.begin(), p.data.end()), 0, 0, image_apply}});
  return builder.finish();
}

/// generic_xlog.c, applyPageRedo.
bytes letters_record(const relation_id& relation, block_number block, uint16_t offset,
                     std::string_view letters) {
  bytes delta(4);
  store(delta.data(), offset);
  store(delta.data() + 2, static_cast<uint16_t>(letters.size()));
  const byte_view text = as_bytes(letters);
  delta.insert(delta.end(), text.begin(), text.end());
  return record_builder(pg::resource_manager::generic, 0)
      .add({.relation = relation, .number = block, .data = delta})
      .finish();
}

bytes broken_record(const relation_id& relation, block_number block) {
  return record_builder(pg::resource_manager{200}, 0)
      .add({.relation = relation, .number = block, .data = bytes(4)})
      .finish();
}

/// Heap, INSERT (xl_heap_insert) that clears a bit of the map.
bytes clearing_record(const relation_id& relation, block_number heap_block) {
  return record_builder(pg::resource_manager::heap, 0)
      .add({.relation = relation, .number = heap_block})
      .main_data(bytes{std::byte{1}, std::byte{0}, std::byte{1}})
      .finish();
}

template <class T>
std::string error_of(const result<T>& one) {
  return one ? "no error"
             : fmt::format("error {}: {}", static_cast<int>(one.error().code), one.error().message);
}
template <class T>
bool same_kind(const result<T>& a, const result<T>& b) {
  return a.has_value() == b.has_value() && (a || a.error().code == b.error().code);
}

}  // namespace

random_history::random_history(uint32_t seed, const chances& how) : random_(seed), how_(how) {
  now_ = now_ + 8;
  points_.push_back(now_);
  for (size_t i = 0; i < how_.relations; ++i) {
    states_[i] = relation_state::of_base(2);
    put_size(i);
    written_[i] = {0, 1};
    for (const block_number block : written_[i])
      put(key::block(relation(i), fork_number::main, block), version_kind::value,
          page_of('-').view());
  }
}

void random_history::put(const key& k, version_kind kind, byte_view data, const key& source) {
  layers::version_entry v{.k = k, .at = now_, .kind = kind};
  if (v.is_record()) v.record_start = record_start_;
  if (kind == version_kind::copy) {
    v.source = source;
    v.source_at = record_start_;
    copied_at_.push_back(record_start_);
  }
  versions_.emplace_back(v, data);
}

void random_history::put_size(size_t i) {
  const key k = key::size(relation(i), fork_number::main);
  if (states_[i])
    put(k, version_kind::value, states_[i]->encode());
  else
    put(k, version_kind::absent);
}

void random_history::step() {
  record_start_ = now_;
  now_ = now_ + 8 * (1 + random_() % 12);
  points_.push_back(now_);
  const size_t i = random_() % how_.relations;
  if (chance(15)) return change_other();
  if (!states_[i]) {
    const size_t from = random_() % how_.relations;
    if (states_[from] && chance(40)) return copy_fork(from, i);
    states_[i] = relation_state::created(chance(50) ? now_ : record_start_);
    return put_size(i);
  }
  if (chance(how_.drop_percent)) {
    states_[i].reset();
    written_[i].clear();
    put_size(i);
    if (!maps_[i]) return;
    maps_[i].reset();
    return put(key::size(relation(i), fork_number::vm), version_kind::absent);
  }
  if (chance(how_.drop_percent)) {
    states_[i]->truncate(random_() % (states_[i]->blocks() + 1), now_);
    written_[i].erase(written_[i].lower_bound(states_[i]->blocks()), written_[i].end());
    return put_size(i);
  }
  if (chance(6)) return change_map(i);
  change_block(i);
}

void random_history::change_block(size_t i) {
  // Low blocks more often than others.
  const block_number block = random_() % (1 + random_() % how_.blocks_max);
  if (states_[i]->extend(block + 1)) put_size(i);
  const bool is_new = written_[i].insert(block).second;
  const key k = key::block(relation(i), fork_number::main, block);
  const char letter = static_cast<char>('a' + random_() % 26);
  if (chance(how_.broken_percent))
    return put(k, version_kind::changes, broken_record(relation(i), block));
  // A record on a page of zeros cannot always be redone.
  if ((is_new && (how_.broken_percent == 0 || chance(70))) || chance(8))
    return put(k, version_kind::initialises, image_record(relation(i), block, letter));
  if (chance(3)) return put(k, version_kind::value, page_of(letter).view());
  const std::string letters(1 + random_() % 400, letter);
  put(k, version_kind::changes,
      letters_record(relation(i), block, static_cast<uint16_t>(100 + random_() % 7000), letters));
}

/// As redo::ingest_cleared_visibility puts it.
void random_history::change_map(size_t i) {
  auto& state = maps_[i];
  const bool absent = !state;
  if (absent) state = relation_state::created(record_start_);
  const block_number block = random_() % map_blocks;
  const block_number before = state->blocks();
  const bytes record =
      clearing_record(relation(i), block * heap_blocks_per_map_page + random_() % 100);
  const auto fork = fork_number::vm;
  if (before < block) put(key::all_blocks(relation(i), fork), version_kind::initialises, record);
  put(key::block(relation(i), fork, block),
      block < before ? version_kind::changes : version_kind::initialises, record);
  if (state->extend(block + 1) || absent)
    put(key::size(relation(i), fork), version_kind::value, state->encode());
}

void random_history::copy_fork(size_t from, size_t to) {
  const auto fork = fork_number::main;
  states_[to] = relation_state::created(record_start_);
  states_[to]->extend(states_[from]->blocks());
  written_[to] = written_[from];
  put_size(to);
  put(key::all_blocks(relation(to), fork), version_kind::copy, {},
      key::all_blocks(relation(from), fork));
}

key random_history::random_other_key() {
  const uint32_t i = random_() % 3;
  return chance(50) ? key::two_phase(i) : key::slru(slru_kind::xact, i);
}

void random_history::change_other() {
  const key k = random_other_key();
  const page p = page_of(static_cast<char>('A' + random_() % 26));
  const byte_view value = p.view().first(k.kind == key_kind::slru_page ? page_size_bytes : 100);
  if (chance(60)) return put(k, version_kind::value, value);
  if (chance(70)) return put(k, version_kind::absent);
  key source = random_other_key();
  while (source.kind != k.kind) source = random_other_key();
  put(k, version_kind::copy, {}, source);
}

std::string random_history::difference(const layers::view& expected, const layers::view& found,
                                       lsn at) const {
  const auto differs = [&](const key& k, const auto& a, const auto& b) {
    return fmt::format("{} at {}: expected {}, found {}", to_string(k), to_string(at), error_of(a),
                       error_of(b));
  };
  for (size_t i = 0; i < how_.relations; ++i)
    for (const fork_number fork : {fork_number::main, fork_number::vm}) {
      const auto size = expected.relation(relation(i), fork, at);
      const auto found_size = found.relation(relation(i), fork, at);
      if (!same_kind(size, found_size) || (size && *size != *found_size))
        return differs(key::size(relation(i), fork), size, found_size);
      for (block_number block = 0; block < how_.blocks_max + 1; ++block) {
        page a;
        page b;
        const auto read = expected.read_page(relation(i), fork, block, at, a);
        const auto found_read = found.read_page(relation(i), fork, block, at, b);
        if (!same_kind(read, found_read) || (read && a.data != b.data))
          return differs(key::block(relation(i), fork, block), read, found_read);
      }
    }
  for (const auto& [first, last] :
       {std::pair{key::two_phase(0), key::two_phase(9)},
        std::pair{key::slru(slru_kind::xact, 0), key::slru(slru_kind::xact, 9)}}) {
    const auto keys = expected.keys(first, last, at);
    const auto found_keys = found.keys(first, last, at);
    if (!same_kind(keys, found_keys) || (keys && *keys != *found_keys))
      return "keys from " + differs(first, keys, found_keys);
    for (uint32_t i = 0; i < 3; ++i) {
      const key k =
          first.kind == key_kind::slru_page ? key::slru(slru_kind::xact, i) : key::two_phase(i);
      const auto value = expected.value(k, at);
      const auto found_value = found.value(k, at);
      if (!same_kind(value, found_value) || (value && *value != *found_value))
        return differs(k, value, found_value);
    }
  }
  return {};
}

}  // namespace zenith::testing
