// CRC-32C over byte views, by libisal.
#include "storage/base/bytes.hpp"

#include <isa-l/crc.h>

namespace zenith {

uint32_t crc32c_feed(uint32_t state, byte_view data) {
  // crc32_iscsi takes an int length and a pointer to non-const, and changes nothing.
  constexpr size_t at_most = size_t{1} << 30;
  while (!data.empty()) {
    const byte_view piece = data.first(std::min(at_most, data.size()));
    auto* start = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(piece.data()));
    state = crc32_iscsi(start, static_cast<int>(piece.size()), state);
    data = data.subspan(piece.size());
  }
  return state;
}

uint32_t crc32c(byte_view data) { return crc32c_finish(crc32c_feed(crc32c_start, data)); }

}  // namespace zenith
