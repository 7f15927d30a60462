// Laying a layer file out from its parts, and taking one apart.
#include "tests/fuzz/layer_case.hpp"

#include <lz4.h>
#include <zstd.h>

#include <array>
#include <vector>

#include "storage/base/key.hpp"
#include "storage/layers/block_file_format.hpp"

namespace zenith::fuzz {
namespace {

using namespace zenith::layers;

constexpr size_t heights = 16;
/// Places of the blocks of each height that no index block leads to yet.
using pending_places = std::array<std::vector<block_place>, heights>;

void append(bytes& to, byte_view part) { to.insert(to.end(), part.begin(), part.end()); }

/// Puts the places of the blocks below into the entries of an index block, where it has entries.
void put_places(bytes& index, size_t key_size_bytes, std::vector<block_place>& below) {
  if (index.size() < 4) return;
  const uint64_t count = load<uint32_t>(index.data());
  const uint64_t ends = 4 + count * key_size_bytes;
  const uint64_t values = ends + 4 * count;
  if (values > index.size()) return;
  uint64_t begin = 0;
  for (uint64_t i = 0; i < std::min<uint64_t>(count, below.size()); ++i) {
    const uint64_t end = load<uint32_t>(index.data() + ends + 4 * i);
    if (end >= begin + sizeof(block_place) && values + end <= index.size())
      store(index.data() + values + begin, below[i]);
    begin = end;
  }
  below.clear();
}

}  // namespace

bytes layer_file_of(byte_view layer_case) {
  input_reader in(layer_case);
  const auto flags = in.take<uint8_t>();
  block_file_header header{};
  header.magic = header_magic;
  header.format_version = (flags & layer_is_version_1) != 0 ? 1 : 2;
  header.content = (flags & layer_is_delta) != 0 ? 2 : 1;
  header.key_size_bytes = encoded_key_size_bytes + ((flags & layer_is_delta) != 0 ? 8 : 0);
  header.filter_key_bytes = (flags & layer_has_filters) != 0 ? encoded_key_size_bytes : 0;
  header.first_lsn = in.take<uint32_t>();
  header.last_lsn = in.take<uint32_t>();
  header.crc = crc32c(view_of(header).subspan(8));
  bytes file;
  append(file, view_of(header));

  pending_places pending;
  block_file_footer footer{};
  footer.magic = footer_magic;
  while (!in.empty()) {
    const auto kind = in.take<uint8_t>();
    const size_t height = kind & 15;
    block_header front{};
    front.compression = kind >> 4;
    front.unpacked_bytes = in.take<uint32_t>();
    bytes data = copy_of(in.take_bytes(in.take<uint16_t>()));
    if (height != 0 && (flags & layer_keeps_places) == 0)
      put_places(data, header.key_size_bytes, pending[height - 1]);
    front.stored_bytes = static_cast<uint32_t>(data.size());
    if (front.compression == compression_none) front.unpacked_bytes = front.stored_bytes;
    footer.index_offset = file.size();
    footer.index_bytes = static_cast<uint32_t>(sizeof front + data.size());
    footer.index_levels = height == 0 ? 0 : static_cast<uint32_t>(height - 1);
    pending[height].push_back({footer.index_offset, footer.index_bytes, 0});
    append(file, view_of(front));
    append(file, data);
    store(file.data() + footer.index_offset,
          crc32c(byte_view(file).subspan(footer.index_offset + 4)));
  }
  footer.file_bytes = file.size() + sizeof footer;
  footer.crc = crc32c(view_of(footer).subspan(8));
  append(file, view_of(footer));
  return file;
}

bytes layer_case_of(byte_view file) {
  const auto header = load<block_file_header>(file.data());
  const auto footer =
      load<block_file_footer>(file.data() + file.size() - sizeof(block_file_footer));
  input_writer out;
  out.put(static_cast<uint8_t>((header.content == 2 ? layer_is_delta : 0) |
                               (header.format_version == 1 ? layer_is_version_1 : 0) |
                               (header.filter_key_bytes != 0 ? layer_has_filters : 0)));
  out.put(static_cast<uint32_t>(header.first_lsn));
  out.put(static_cast<uint32_t>(header.last_lsn));
  // A block of height h leads to all those of height h - 1 before it that none leads to yet, the
  // first of which has its own first key.
  pending_places pending;
  std::array<bytes, heights> first_keys;
  for (size_t at = sizeof header; at < file.size() - sizeof footer;) {
    const auto front = load<block_header>(file.data() + at);
    const byte_view stored = file.subspan(at + sizeof front, front.stored_bytes);
    bytes data(front.unpacked_bytes);
    if (front.compression == compression_none)
      std::ranges::copy(stored, data.begin());
    else if (front.compression == compression_lz4)
      LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()),
                          reinterpret_cast<char*>(data.data()), static_cast<int>(stored.size()),
                          static_cast<int>(data.size()));
    else
      ZSTD_decompress(data.data(), data.size(), stored.data(), stored.size());
    size_t height = 0;
    if (at == footer.index_offset) height = footer.index_levels + 1;
    const bytes first(data.begin() + 4, data.begin() + 4 + header.key_size_bytes);
    for (size_t h = 1; height == 0 && h < heights; ++h)
      if (!pending[h - 1].empty() && first_keys[h - 1] == first) height = h;
    if (height != 0) pending[height - 1].clear();
    if (pending[height].empty()) first_keys[height] = first;
    pending[height].push_back({});
    out.put(static_cast<uint8_t>(height));
    out.put(uint32_t{0});
    out.put(static_cast<uint16_t>(data.size()));
    out.put_bytes(data);
    at += sizeof front + front.stored_bytes;
  }
  return out.take();
}

}  // namespace zenith::fuzz
