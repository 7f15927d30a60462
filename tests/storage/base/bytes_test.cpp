// CRC-32C against its published check value, whole and in pieces.
#include "storage/base/bytes.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace zenith
