// Full-page images of WAL records, put back into a page: holes and the three compressions.
#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include "storage/postgres/record.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/xlogrecord.h>
#include <common/pg_lzcompress.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

// A page's bytes without its hole, or, for pglz, input with room behind it.
using page_buffer = std::array<char, BLCKSZ + 8>;

// pglz_decompress may look at two bytes past its input before it finds that the input has ended,
// so the input is copied to where there are some.
int64_t decompress_pglz(byte_view from, char* into, size_t expected_bytes) {
  page_buffer input;
  std::memcpy(input.data(), from.data(), from.size());
  std::memset(input.data() + from.size(), 0, input.size() - from.size());
  return pglz_decompress(input.data(), static_cast<int32>(from.size()), into,
                         static_cast<int32>(expected_bytes), true);
}

int64_t decompress_zstd(byte_view from, char* into, size_t expected_bytes) {
  const size_t got = ZSTD_decompress(into, expected_bytes, from.data(), from.size());
  return ZSTD_isError(got) ? -1 : static_cast<int64_t>(got);
}

}  // namespace

result<void> restore_image(const block_reference& block, lsn record_start, page& into) {
  const block_image& image = block.image;
  const auto wrong = [&](std::string_view what) {
    return fail(errc::corrupt,
                fmt::format("WAL record at {}: image of block {} ({} {} block {}): {}",
                            to_string(record_start), block.id, to_string(block.relation),
                            to_string(block.fork), block.block, what));
  };
  if (!block.has_image || image.data.empty()) return wrong("there is none");
  if (size_t{image.hole_offset} + image.hole_length > BLCKSZ) return wrong("hole leaves the page");
  const size_t expected_bytes = BLCKSZ - image.hole_length;
  const auto* from = reinterpret_cast<const char*>(image.data.data());

  page_buffer buffer;
  if (BKPIMAGE_COMPRESSED(image.info)) {
    if (image.data.size() > BLCKSZ) return wrong("longer than a page, though compressed");
    int64_t got = -1;
    const char* method = "pglz";
    if ((image.info & BKPIMAGE_COMPRESS_PGLZ) != 0) {
      got = decompress_pglz(image.data, buffer.data(), expected_bytes);
    } else if ((image.info & BKPIMAGE_COMPRESS_LZ4) != 0) {
      method = "lz4";
      got = LZ4_decompress_safe(from, buffer.data(), static_cast<int>(image.data.size()),
                                static_cast<int>(expected_bytes));
    } else {
      method = "zstd";
      got = decompress_zstd(image.data, buffer.data(), expected_bytes);
    }
    if (got < 0) return wrong(fmt::format("cannot be decompressed ({})", method));
    if (static_cast<size_t>(got) != expected_bytes)
      return wrong(fmt::format("{} gives {} bytes, expected {}", method, got, expected_bytes));
    from = buffer.data();
  } else if (image.data.size() != expected_bytes) {
    return wrong(fmt::format("{} bytes, expected {}", image.data.size(), expected_bytes));
  }

  const size_t hole_end = size_t{image.hole_offset} + image.hole_length;
  std::memcpy(into.begin(), from, image.hole_offset);
  std::memset(into.begin() + image.hole_offset, 0, image.hole_length);
  std::memcpy(into.begin() + hole_end, from + image.hole_offset, BLCKSZ - hole_end);
  return {};
}

}  // namespace zenith::pg
