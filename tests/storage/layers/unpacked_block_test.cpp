// unpacked_block: what packed bytes lead to, and sizes that no unpacking takes.
#include "storage/layers/unpacked_block.hpp"

#include <gtest/gtest.h>
#include <lz4.h>
#include <zstd.h>

#include "storage/layers/block_file_reader.hpp"
#include "tests/support/process.hpp"

namespace zenith::layers {
namespace {

bytes packed(byte_view data, uint32_t compression) {
  bytes into(ZSTD_compressBound(data.size()) +
             static_cast<size_t>(LZ4_compressBound(static_cast<int>(data.size()))));
  if (compression == compression_zstd) {
    into.resize(ZSTD_compress(into.data(), into.size(), data.data(), data.size(), 1));
    return into;
  }
  into.resize(static_cast<size_t>(LZ4_compress_default(
      reinterpret_cast<const char*>(data.data()), reinterpret_cast<char*>(into.data()),
      static_cast<int>(data.size()), static_cast<int>(into.size()))));
  return into;
}

TEST(unpacked_blocks, are_no_larger_than_their_bytes_can_tell) {
  const bytes data(1'000'000, std::byte{7});
  for (const uint32_t compression : {compression_zstd, compression_lz4}) {
    const bytes stored = packed(data, compression);
    EXPECT_GE(unpacked_bytes_max(stored, compression), data.size());
    EXPECT_LE(unpacked_bytes_max(stored, compression), 2 * data.size());
    bytes into(data.size());
    EXPECT_EQ(unpack_block(into, stored, compression), "");
    EXPECT_EQ(into, data);
    into.resize(into.size() + 1);
    EXPECT_NE(unpack_block(into, stored, compression), "");
    EXPECT_EQ(unpacked_bytes_max(stored, 9), 0u);
  }
}

TEST(unpacked_blocks, by_lz4_are_of_sizes_that_fit_an_int) {
  const std::byte any{};
  // Nothing of these is read.
  const auto bytes_max = [&](uint64_t stored) {
    return unpacked_bytes_max({&any, stored}, compression_lz4);
  };
  EXPECT_EQ(bytes_max(1000), 255'000u);
  EXPECT_EQ(bytes_max(uint64_t{INT32_MAX}), uint64_t{INT32_MAX});
  EXPECT_EQ(bytes_max(uint64_t{INT32_MAX} + 1), 0u);
  EXPECT_EQ(bytes_max(uint64_t{UINT32_MAX}), 0u);
}

TEST(a_block_file, with_an_index_larger_than_any_block_is_refused_by_its_size) {
  constexpr uint32_t index_bytes = 3'000'000'000;
  const testing::temporary_directory folder;
  const path name = folder / "huge";
  const block_file_description what{block_file_content::image_layer, 18, {}, {}, 0};
  auto out = block_file_writer::create(posix_file_system(), name, what, 1);
  ASSERT_TRUE(out && out->finish());
  // A hole of so many bytes for the root.
  const auto file = posix_file_system().open(name, open_mode::write).value();
  block_file_footer footer;
  const uint64_t size = file->size_bytes().value();
  ASSERT_TRUE(file->read(size - sizeof footer, std::as_writable_bytes(std::span(&footer, 1))));
  footer.index_offset = sizeof(block_file_header);
  footer.index_bytes = index_bytes;
  footer.file_bytes = footer.index_offset + index_bytes + sizeof footer;
  footer.crc = crc32c(view_of(footer).subspan(8));
  ASSERT_TRUE(file->resize(footer.file_bytes));
  ASSERT_TRUE(file->write(footer.file_bytes - sizeof footer, view_of(footer)));
  block_cache cache(1000);
  const auto opened = block_file_reader::open(posix_file_system(), name,
                                              block_file_content::image_layer, 18, cache, 1);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::corrupt);
  EXPECT_NE(opened.error().message.find("3000000000 bytes"), std::string::npos)
      << opened.error().message;
}

}  // namespace
}  // namespace zenith::layers
