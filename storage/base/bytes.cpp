// CRC-32C over byte views: by libisal, and by the processor's own instruction where they are short.
#include "storage/base/bytes.hpp"

#include <isa-l/crc.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace zenith {

#if defined(__x86_64__)
namespace {

// Below this size libisal's set-up costs more than its wider steps save.
constexpr size_t short_size_bytes = 1024;

const bool has_crc_instruction = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") != 0;
}();

__attribute__((target("sse4.2"))) uint32_t feed_short(uint32_t state, byte_view data) {
  const std::byte* at = data.data();
  size_t left = data.size();
  uint64_t wide = state;
  for (; left >= 8; left -= 8, at += 8) wide = _mm_crc32_u64(wide, load<uint64_t>(at));
  state = static_cast<uint32_t>(wide);
  if (left >= 4) {
    state = _mm_crc32_u32(state, load<uint32_t>(at));
    left -= 4, at += 4;
  }
  for (; left > 0; --left, ++at) state = _mm_crc32_u8(state, load<uint8_t>(at));
  return state;
}

const bool has_wide_registers = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx") != 0;
}();

// libisal 2.30's crc32_iscsi_by16_10 returns with the upper halves of vector registers in use, and
// until they are cleared every SSE instruction of the thread waits for the one before it: redo of a
// page takes five times as long.
__attribute__((target("avx"))) void clear_upper_halves() { _mm256_zeroupper(); }

}  // namespace
#endif

uint32_t crc32c_feed(uint32_t state, byte_view data) {
#if defined(__x86_64__)
  if (data.size() < short_size_bytes && has_crc_instruction) return feed_short(state, data);
#endif
  // crc32_iscsi takes an int length and a pointer to non-const, and changes nothing.
  constexpr size_t at_most = size_t{1} << 30;
  while (!data.empty()) {
    const byte_view piece = data.first(std::min(at_most, data.size()));
    auto* start = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(piece.data()));
    state = crc32_iscsi(start, static_cast<int>(piece.size()), state);
    data = data.subspan(piece.size());
  }
#if defined(__x86_64__)
  if (has_wide_registers) clear_upper_halves();
#endif
  return state;
}

uint32_t crc32c(byte_view data) { return crc32c_finish(crc32c_feed(crc32c_start, data)); }

}  // namespace zenith
