// Reading PostgreSQL's structures out of a record's bytes, which may be unaligned or too short.
#pragma once

#include <fmt/format.h>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::redo {

/// The structure that bytes begin with. `stored_size_bytes`: how much of it is stored (SizeOf...),
/// where that is less than its size in memory; the rest is zeros. Error: corrupt.
template <class T>
result<T> read_front(byte_view from, const char* what, size_t stored_size_bytes = sizeof(T)) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (from.size() < stored_size_bytes)
    return fail(errc::corrupt, fmt::format("{} needs {} bytes, {} are there", what,
                                           stored_size_bytes, from.size()));
  T value{};
  std::memcpy(&value, from.data(), stored_size_bytes);
  return value;
}

/// A record's main data as the structure that it begins with. Error: corrupt.
template <class T>
result<T> read_main(const pg::record& record, size_t stored_size_bytes = sizeof(T)) {
  return read_front<T>(record.main_data, "the record's main data", stored_size_bytes);
}

/// A bool of a record's main data, for which a damaged record may hold any byte; the caller has
/// read the structure that holds it.
inline bool main_flag(const pg::record& record, size_t offset) {
  return record.main_data[offset] != std::byte{0};
}

/// A view that gives out its bytes from the front. Error: corrupt, where too few are left.
class record_reader {
 public:
  explicit record_reader(byte_view data) : rest_(data) {}

  byte_view rest() const { return rest_; }

  result<byte_view> take(size_t size_bytes) {
    if (rest_.size() < size_bytes)
      return fail(errc::corrupt, fmt::format("the record's data ends early: {} bytes are needed, "
                                             "{} are left",
                                             size_bytes, rest_.size()));
    const auto taken = rest_.first(size_bytes);
    rest_ = rest_.subspan(size_bytes);
    return taken;
  }
  template <class T>
  result<T> take() {
    ZENITH_TRY_ASSIGN(const auto taken, take(sizeof(T)));
    return load<T>(taken.data());
  }

 private:
  byte_view rest_;
};

}  // namespace zenith::redo
