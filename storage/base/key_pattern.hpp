// key_pattern: a set of keys, by those of their fields that are given.
#pragma once

#include <optional>

#include "storage/base/key.hpp"

namespace zenith {

/// All keys of one kind whose fields are these, where they are given.
struct key_pattern {
  key_kind kind{};
  std::optional<uint32_t> a;
  std::optional<uint32_t> b;
  std::optional<uint32_t> c;
  std::optional<uint8_t> fork;

  bool operator==(const key_pattern&) const = default;

  static key_pattern all(key_kind kind) { return {kind}; }
  static key_pattern all(slru_kind slru) {
    return {key_kind::slru_page, {}, {}, {}, static_cast<uint8_t>(slru)};
  }
  /// The sizes of all forks, which say that they exist.
  static key_pattern sizes_of(const relation_id& r) {
    return {key_kind::relation_size, r.tablespace, r.database, r.relfilenode};
  }
  static key_pattern size_of(const relation_id& r, fork_number fork) {
    return {key_kind::relation_size, r.tablespace, r.database, r.relfilenode,
            static_cast<uint8_t>(fork)};
  }
  static key_pattern blocks_of(const relation_id& r, fork_number fork) {
    return {key_kind::relation_block, r.tablespace, r.database, r.relfilenode,
            static_cast<uint8_t>(fork)};
  }

  bool matches(const key& k) const {
    const auto fits = [](const auto& wanted, auto found) { return !wanted || *wanted == found; };
    return k.kind == kind && fits(a, k.a) && fits(b, k.b) && fits(c, k.c) && fits(fork, k.fork);
  }
  /// Whether there may be keys of the set from first to last, both included.
  bool may_lie_between(const key& first, const key& last) const {
    if (kind < first.kind || kind > last.kind) return false;
    if (first.kind != last.kind) return true;
    const auto lies = [](const auto& wanted, auto from, auto to) {
      return !wanted || (*wanted >= from && *wanted <= to);
    };
    if (!lies(a, first.a, last.a)) return false;
    if (first.a != last.a) return true;
    if (!lies(b, first.b, last.b)) return false;
    if (first.b != last.b) return true;
    return lies(c, first.c, last.c) && (first.c != last.c || lies(fork, first.fork, last.fork));
  }
};

}  // namespace zenith
