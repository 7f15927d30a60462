// version_table: a hash table from keys to their versions, compact, without deletion or locks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::layers {

/// One version of one key: 16 bytes. What it is lies in an arena, at an address whose three free
/// low bits hold the kind.
class version {
 public:
  enum class kind : uint8_t { changes = 0, initialises = 1, value = 2, absent = 3, copy = 4 };

  version() = default;
  version(lsn at, kind what, const void* data)
      : at_(at), tagged_(reinterpret_cast<uintptr_t>(data) | static_cast<uintptr_t>(what)) {}

  /// From this LSN on it counts.
  lsn at() const { return at_; }
  kind what() const { return static_cast<kind>(tagged_ & 7); }
  const std::byte* data() const {
    return reinterpret_cast<const std::byte*>(tagged_ & ~uintptr_t{7});
  }
  bool is_record() const { return what() <= kind::initialises; }

 private:
  lsn at_;
  uintptr_t tagged_ = 0;
};
static_assert(sizeof(version) == 16);

/// The versions of one key, by rising LSN: 24 bytes, and one version needs nothing more.
class version_list {
 public:
  version_list() = default;
  version_list(version_list&& other) noexcept { take(other); }
  version_list& operator=(version_list&& other) noexcept {
    if (this == &other) return *this;
    release();
    take(other);
    return *this;
  }
  ~version_list() { release(); }

  uint32_t size() const { return size_; }
  const version* begin() const { return capacity_ == 0 ? &one_ : many_; }
  const version* end() const { return begin() + size_; }
  version& back() { return capacity_ == 0 ? one_ : many_[size_ - 1]; }

  /// Gives how many bytes of memory it took in addition.
  size_t push_back(const version& v) {
    if (size_ == 0) {
      one_ = v;
      size_ = 1;
      return 0;
    }
    const size_t grown = size_ >= std::max(capacity_, 1u) ? grow() : 0;
    many_[size_++] = v;
    return grown;
  }

  /// The end of the versions at or before an LSN.
  const version* end_at(lsn until) const {
    const version* const last = end();
    if (size_ == 0 || (last - 1)->at() <= until) return last;
    return std::upper_bound(begin(), last, until,
                            [](lsn at, const version& v) { return at < v.at(); });
  }

 private:
  size_t grow() {
    const uint32_t capacity = capacity_ == 0 ? 2 : capacity_ * 2;
    auto larger = std::make_unique<version[]>(capacity);
    std::copy(begin(), end(), larger.get());
    const size_t before = capacity_;
    release();
    many_ = larger.release();
    capacity_ = capacity;
    return (capacity - before) * sizeof(version);
  }
  void release() {
    if (capacity_ != 0) delete[] many_;
  }
  void take(version_list& other) {
    size_ = other.size_;
    capacity_ = other.capacity_;
    if (capacity_ == 0)
      one_ = other.one_;
    else
      many_ = other.many_;
    other.size_ = 0;
    other.capacity_ = 0;
  }

  union {
    version one_{};  // where capacity_ is 0
    version* many_;
  };
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};
static_assert(sizeof(version_list) == 24);

/// Open addressing with linear probing; a slot whose key has no kind is free.
class version_table {
 public:
  /// nullptr where the key has no versions.
  const version_list* find(const key& k, size_t hash) const {
    if (slots_.empty()) return nullptr;
    for (size_t at = hash & mask();; at = (at + 1) & mask()) {
      if (slots_[at].k == k) return &slots_[at].versions;
      if (slots_[at].k.kind == key_kind{}) return nullptr;
    }
  }

  /// Its versions, none where it is new. `grown_bytes` is raised by the memory taken in addition.
  version_list& find_or_add(const key& k, size_t hash, size_t& grown_bytes) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grown_bytes += grow();
    slot& s = probe(k, hash);
    if (s.k.kind == key_kind{}) {
      s.k = k;
      ++used_;
    }
    return s.versions;
  }

 private:
  struct slot {
    key k;
    version_list versions;
  };

  size_t mask() const { return slots_.size() - 1; }
  slot& probe(const key& k, size_t hash) {
    for (size_t at = hash & mask();; at = (at + 1) & mask())
      if (slots_[at].k == k || slots_[at].k.kind == key_kind{}) return slots_[at];
  }
  size_t grow() {
    const size_t before = slots_.size();
    std::vector<slot> old(before == 0 ? 16 : before * 2);
    old.swap(slots_);
    for (slot& s : old)
      if (s.k.kind != key_kind{}) probe(s.k, std::hash<key>{}(s.k)) = std::move(s);
    return (slots_.size() - before) * sizeof(slot);
  }

  std::vector<slot> slots_;  // a power of two of them, or none
  size_t used_ = 0;
};

}  // namespace zenith::layers
