// Unpacking by zstd and LZ4, and how much that can be.
#include "storage/layers/unpacked_block.hpp"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "storage/layers/block_file_format.hpp"

namespace zenith::layers {
namespace {

/// liblz4 takes sizes as int.
constexpr uint64_t lz4_size_max = INT32_MAX;

struct free_context {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_DCtx* unpacking_context() {
  static thread_local std::unique_ptr<ZSTD_DCtx, free_context> context(ZSTD_createDCtx());
  return context.get();
}

/// What a zstd frame can unpack to at most, by the blocks that it has, whatever its header says
/// (RFC 8878, 3.1.1): a damaged size shall not ask for memory. 0: it is no frame.
uint64_t unpacked_bytes_max(byte_view frame) {
  constexpr uint64_t block_max = uint64_t{128} << 10;
  constexpr std::array<size_t, 4> dictionary_bytes{0, 1, 2, 4};
  if (frame.size() < 5) return 0;
  const auto descriptor = std::to_integer<unsigned>(frame[4]);
  const bool is_single_segment = (descriptor & 0x20) != 0;
  const std::array<size_t, 4> content_size_bytes{is_single_segment ? 1u : 0u, 2, 4, 8};
  size_t at = 5 + (is_single_segment ? 0 : 1) + dictionary_bytes[descriptor & 3] +
              content_size_bytes[descriptor >> 6];
  uint64_t most = 0;
  for (bool is_last = false; !is_last;) {
    if (at > frame.size() || frame.size() - at < 3) return 0;
    const uint32_t header =
        load<uint16_t>(frame.data() + at) | std::to_integer<uint32_t>(frame[at + 2]) << 16;
    const uint32_t size = header >> 3;
    enum : uint32_t { raw, repeated, compressed };
    const uint32_t type = header >> 1 & 3;
    if (type > compressed) return 0;
    most += type == compressed ? block_max : std::min<uint64_t>(size, block_max);
    at += 3 + (type == repeated ? 1 : size_t{size});
    is_last = (header & 1) != 0;
  }
  return most;
}

}  // namespace

uint64_t unpacked_bytes_max(byte_view stored, uint32_t compression) {
  if (compression == compression_zstd) return unpacked_bytes_max(stored);
  if (compression != compression_lz4 || stored.size() > lz4_size_max) return 0;
  return std::min(stored.size() * 255, lz4_size_max);
}

std::string unpack_block(byte_span into, byte_view stored, uint32_t compression) {
  constexpr const char* shorter = "it is shorter";
  if (compression == compression_lz4) {
    const int got = LZ4_decompress_safe(
        reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(into.data()),
        static_cast<int>(stored.size()), static_cast<int>(into.size()));
    if (got < 0) return "it is no LZ4 block";
    return static_cast<size_t>(got) == into.size() ? "" : shorter;
  }
  const size_t got = ZSTD_decompressDCtx(unpacking_context(), into.data(), into.size(),
                                         stored.data(), stored.size());
  if (ZSTD_isError(got)) return ZSTD_getErrorName(got);
  return got == into.size() ? "" : shorter;
}

}  // namespace zenith::layers
