// input: what a target takes from a fuzzer's bytes, and how the same bytes are made.
#pragma once

#include <algorithm>

#include "storage/base/bytes.hpp"

namespace zenith::fuzz {

/// Gives out values from the front of an input. Where too little is left the rest is zeros, so that
/// every input means something.
class input_reader {
 public:
  explicit input_reader(byte_view data) : rest_(data) {}

  template <class T>
  T take() {
    T value{};
    const size_t there = std::min(sizeof(T), rest_.size());
    if (there != 0) std::memcpy(&value, rest_.data(), there);
    rest_ = rest_.subspan(there);
    return value;
  }
  /// So many bytes, or fewer where fewer are left.
  byte_view take_bytes(size_t size_bytes) {
    const byte_view taken = rest_.first(std::min(size_bytes, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  bool empty() const { return rest_.empty(); }
  byte_view rest() const { return rest_; }

 private:
  byte_view rest_;
};

/// Appends what input_reader takes.
class input_writer {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* from = reinterpret_cast<const std::byte*>(&value);
    out_.insert(out_.end(), from, from + sizeof(T));
  }
  void put_bytes(byte_view data) { out_.insert(out_.end(), data.begin(), data.end()); }
  bytes take() { return std::move(out_); }

 private:
  bytes out_;
};

inline byte_view as_view(const uint8_t* data, size_t size_bytes) {
  return {reinterpret_cast<const std::byte*>(data), size_bytes};
}
inline bytes copy_of(byte_view data) { return {data.begin(), data.end()}; }

}  // namespace zenith::fuzz
