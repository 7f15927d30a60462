// CRC-32C against its published check value, whole and in pieces.
#include "storage/base/bytes.hpp"

#include <gtest/gtest.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace zenith {
namespace {

TEST(crc32c, gives_the_published_check_value) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
}

TEST(crc32c, is_the_same_in_any_chunking) {
  const byte_view data = as_bytes("The quick brown fox jumps over the lazy dog");
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    uint32_t state = crc32c_feed(crc32c_start, data.first(cut));
    state = crc32c_feed(state, data.subspan(cut));
    EXPECT_EQ(crc32c_finish(state), crc32c(data));
  }
}

TEST(crc32c, is_the_same_for_short_and_for_long_data) {
  bytes data(3000);
  for (size_t i = 0; i < data.size(); ++i) data[i] = std::byte(i * 7 + i / 256);
  uint32_t one_by_one = crc32c_start;
  for (size_t size = 0; size <= data.size(); ++size) {
    EXPECT_EQ(crc32c(byte_view{data}.first(size)), crc32c_finish(one_by_one)) << size;
    if (size < data.size()) one_by_one = crc32c_feed(one_by_one, byte_view{data}.subspan(size, 1));
  }
}

#if defined(__x86_64__)
// Which register states are in use: XGETBV with ECX = 1, where CPUID leaf 0DH, sub-leaf 1 has it.
__attribute__((target("xsave"))) uint64_t states_in_use() { return _xgetbv(1); }

TEST(crc32c, leaves_the_upper_halves_of_vector_registers_clear) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(0x0D, 1, &eax, &ebx, &ecx, &edx) == 0 || (eax & 4) == 0)
    GTEST_SKIP() << "this processor does not say which registers are in use";
  constexpr uint64_t upper_halves = 1 << 2 | 1 << 6;  // of YMM0-15 and of ZMM0-15
  const bytes data(100'000);
  const uint32_t crc = crc32c(data);
  const uint64_t after = states_in_use();
  EXPECT_NE(crc, 0u);
  EXPECT_EQ(after & upper_halves, 0u);
}
#endif

}  // namespace
}  // namespace zenith
