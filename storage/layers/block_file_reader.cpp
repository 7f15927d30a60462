// Opening a block file, and reading its blocks with every check.
#include "storage/layers/block_file_reader.hpp"

#include <fmt/format.h>

#include <atomic>

#include "storage/layers/unpacked_block.hpp"

namespace zenith::layers {
namespace {

/// A thread's memory for blocks as they are stored.
byte_span raw_memory(size_t size_bytes) {
  static thread_local bytes memory;
  constexpr size_t kept_bytes = size_t{256} << 10;
  if (memory.size() < size_bytes || memory.size() > std::max(kept_bytes, size_bytes)) {
    bytes().swap(memory);
    memory.resize(size_bytes);
  }
  return byte_span(memory).first(size_bytes);
}

}  // namespace

uint64_t block_file_reader::new_cache_file() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

result<std::unique_ptr<block_file_reader>> block_file_reader::open(
    file_system& files, const path& name, block_file_content content, uint32_t key_size_bytes,
    block_cache& cache, uint64_t cache_file) {
  std::unique_ptr<block_file_reader> reader(new block_file_reader);
  reader->name_ = name;
  reader->cache_ = &cache;
  reader->cache_file_ = cache_file;
  ZENITH_TRY_ASSIGN(reader->file_, files.open(name, open_mode::read));
  reader->description_.content = content;
  reader->description_.key_size_bytes = key_size_bytes;
  block_place root{};
  ZENITH_TRY(reader->read_frame(root));
  ZENITH_TRY_ASSIGN(reader->root_, reader->read_block(root));
  ZENITH_TRY(reader->check_index(reader->root_, reader->index_levels_ + 1,
                                 sizeof(block_file_header), root.offset));
  return reader;
}

result<block_file_content> block_file_reader::content_of(file_system& files, const path& name) {
  block_file_reader reader;
  reader.name_ = name;
  ZENITH_TRY_ASSIGN(reader.file_, files.open(name, open_mode::read));
  block_file_header header;
  ZENITH_TRY(reader.read_header(header));
  const auto content = static_cast<block_file_content>(header.content);
  if (content != block_file_content::image_layer && content != block_file_content::delta_layer)
    return reader.damaged(
        12, fmt::format("kind of entries: expected 1 or 2, found {}", header.content));
  return content;
}

result<void> block_file_reader::expect(uint64_t at, const char* what, uint64_t expected,
                                       uint64_t found) const {
  if (expected == found) return {};
  return damaged(at, fmt::format("{}: expected {:#x}, found {:#x}", what, expected, found));
}

/// Checks all of it but what the entries are.
result<void> block_file_reader::read_header(block_file_header& header) {
  ZENITH_TRY_ASSIGN(size_bytes_, file_->size_bytes());
  constexpr size_t least = sizeof(block_file_header) + sizeof(block_file_footer);
  if (size_bytes_ < least)
    return damaged(0,
                   fmt::format("the file has {} bytes, expected at least {}", size_bytes_, least));
  ZENITH_TRY(file_->read(0, std::as_writable_bytes(std::span(&header, 1))));
  ZENITH_TRY(expect(0, "magic of the header", header_magic, header.magic));
  ZENITH_TRY(expect(4, "checksum of the header", crc32c(view_of(header).subspan(8)), header.crc));
  format_version_ = header.format_version;
  if (format_version_ != block_file_first_version)
    ZENITH_TRY(expect(8, "format version", block_file_format_version, format_version_));
  return {};
}

/// Header and footer; gives where the root lies.
result<void> block_file_reader::read_frame(block_place& root) {
  block_file_header header;
  block_file_footer footer;
  ZENITH_TRY(read_header(header));
  const uint64_t size = size_bytes_;
  ZENITH_TRY(
      expect(12, "kind of entries", static_cast<uint32_t>(description_.content), header.content));
  ZENITH_TRY(expect(16, "size of a key", description_.key_size_bytes, header.key_size_bytes));
  const bool is_first = format_version_ == block_file_first_version;
  if (header.filter_key_bytes > (is_first ? 0 : header.key_size_bytes))
    return damaged(20, fmt::format("filters are said to be made of {} bytes of a key of {}",
                                   header.filter_key_bytes, header.key_size_bytes));
  description_.first = lsn{header.first_lsn};
  description_.last = lsn{header.last_lsn};
  description_.filter_key_bytes = header.filter_key_bytes;

  const uint64_t end = size - sizeof footer;
  ZENITH_TRY(file_->read(end, std::as_writable_bytes(std::span(&footer, 1))));
  ZENITH_TRY(expect(end, "magic of the footer", footer_magic, footer.magic));
  ZENITH_TRY(
      expect(end + 4, "checksum of the footer", crc32c(view_of(footer).subspan(8)), footer.crc));
  ZENITH_TRY(expect(end + 40, "size of the file", size, footer.file_bytes));
  ZENITH_TRY(expect(end + 8, "end of the index", end, footer.index_offset + footer.index_bytes));
  if (footer.index_offset < sizeof header || footer.index_offset > end)
    return damaged(end + 8, fmt::format("the index is said to lie at {}", footer.index_offset));
  if (footer.index_levels > (is_first ? 0 : index_levels_max))
    return damaged(end + 20, fmt::format("the index is said to have {} levels below its root",
                                         footer.index_levels));
  if (footer.index_bytes > stored_block_limit_bytes)
    return damaged(end + 16, fmt::format("the index's root is said to have {} bytes, expected no "
                                         "more than {}",
                                         footer.index_bytes, stored_block_limit_bytes));
  root = {footer.index_offset, footer.index_bytes, 0};
  index_levels_ = footer.index_levels;
  entries_ = footer.entries;
  blocks_ = footer.blocks;
  return {};
}

result<void> block_file_reader::check_index(const block& index, unsigned height, uint64_t begin,
                                            uint64_t offset) const {
  uint64_t expected = begin;
  for (uint32_t i = 0; i < index.size(); ++i) {
    const byte_view value = index.value(i);
    const bool may_have_filter = height == 1 && description_.filter_key_bytes != 0;
    if (value.size() < sizeof(block_place) ||
        (value.size() != sizeof(block_place) && !may_have_filter))
      return damaged(offset, fmt::format("entry {} of the index has {} bytes, expected {}", i,
                                         value.size(), sizeof(block_place)));
    const auto place = load<block_place>(value.data());
    if (height == 1 ? place.offset != expected : place.offset < expected)
      return damaged(offset, fmt::format("entry {} of the index says offset {}, expected {}", i,
                                         place.offset, expected));
    if (place.offset > offset || place.size_bytes > offset - place.offset ||
        place.size_bytes < sizeof(block_header))
      return damaged(offset,
                     fmt::format("entry {} of the index says offset {} and {} bytes, "
                                 "expected at least {}, and its end at or before {}",
                                 i, place.offset, place.size_bytes, sizeof(block_header), offset));
    if (place.size_bytes > stored_block_limit_bytes)
      return damaged(offset, fmt::format("entry {} of the index says {} bytes, expected no more "
                                         "than {}",
                                         i, place.size_bytes, stored_block_limit_bytes));
    expected = place.end();
  }
  if (expected != offset)
    return damaged(offset, fmt::format("the blocks end at {}, expected {}", expected, offset));
  return {};
}

result<block> block_file_reader::read_block(const block_place& place) const {
  const byte_span raw = raw_memory(place.size_bytes);
  ZENITH_TRY(file_->read(place.offset, raw));
  return unpack(raw, place.offset);
}

result<block> block_file_reader::unpack(byte_view raw, uint64_t offset) const {
  if (raw.size() < sizeof(block_header))
    return damaged(offset, fmt::format("a block has {} bytes, expected at least {}", raw.size(),
                                       sizeof(block_header)));
  const auto header = load<block_header>(raw.data());
  if (header.stored_bytes != raw.size() - sizeof header)
    return damaged(offset + 4, fmt::format("a block's stored size: expected {}, found {}",
                                           raw.size() - sizeof header, header.stored_bytes));
  if (const uint32_t crc = crc32c(raw.subspan(4)); crc != header.crc)
    return damaged(offset, fmt::format("checksum of a block of {} bytes: expected {:#010x}, found "
                                       "{:#010x}",
                                       raw.size(), header.crc, crc));
  const size_t size = header.unpacked_bytes;
  const bool is_whole = header.compression == compression_none && size == header.stored_bytes;
  const byte_view stored = raw.subspan(sizeof header);
  const bool is_packed = !is_whole && size <= block_limit_bytes &&
                         size <= unpacked_bytes_max(stored, header.compression);
  if (!is_whole && !is_packed)
    return damaged(offset + 8,
                   fmt::format("a block with compression {}, {} bytes of it {} unpacked",
                               header.compression, header.stored_bytes, size));
  block_bytes unpacked = make_block_bytes(size);
  if (is_whole) {
    std::ranges::copy(stored, unpacked.get());
  } else if (const std::string why =
                 unpack_block({unpacked.get(), size}, stored, header.compression);
             !why.empty()) {
    return damaged(offset, fmt::format("a block does not unpack to {} bytes: {}", size, why));
  }
  auto parsed = block::parse(std::move(unpacked), size, description_.key_size_bytes);
  if (!parsed) return damaged(offset, "a block " + parsed.error().message);
  return parsed;
}

result<void> block_file_reader::check_first_key(const block& loaded, const block_place& place,
                                                byte_view expected) const {
  if (loaded.size() != 0 && compare(loaded.key(0), expected) == 0) return {};
  return damaged(place.offset, "a block does not begin with the key that the index has for it");
}

result<block_ptr> block_file_reader::child(const block& index, uint32_t entry, unsigned height,
                                           uint64_t begin) const {
  const block_place place = place_of(index, entry);
  if (block_ptr hit = cache_->find(cache_file_, place.offset)) return hit;
  ZENITH_TRY_ASSIGN(block read, read_block(place));
  ZENITH_TRY(check_first_key(read, place, index.key(entry)));
  if (height != 0) ZENITH_TRY(check_index(read, height, begin, place.offset));
  auto loaded = std::make_shared<const block>(std::move(read));
  if (height == 0 && is_one_page(*loaded)) return loaded;
  cache_->put(cache_file_, place.offset, loaded, loaded->size_bytes());
  return loaded;
}

bool block_file_reader::is_one_page(const block& loaded) const {
  if (loaded.size_bytes() < page_size_bytes) return false;
  const size_t same = description_.filter_key_bytes;
  return loaded.size() == 1 ||
         (same != 0 &&
          compare(loaded.key(0).first(same), loaded.key(loaded.size() - 1).first(same)) == 0);
}

uint32_t block_file_reader::entry_of(const block& index, byte_view key) {
  const uint32_t at = index.lower_bound(key);
  if (at < index.size() && compare(index.key(at), key) == 0) return at;
  return at == 0 ? 0 : at - 1;
}

result<void> block_file_reader::visit(byte_view first, byte_view last,
                                      const std::function<bool(const block_visit&)>& each) const {
  ZENITH_TRY(visit_below(root_, index_levels_ + 1, sizeof(block_file_header), first, last, each));
  return {};
}

result<bool> block_file_reader::visit_below(
    const block& index, unsigned height, uint64_t begin, byte_view first, byte_view last,
    const std::function<bool(const block_visit&)>& each) const {
  for (uint32_t i = entry_of(index, first); i < index.size(); ++i) {
    if (compare(index.key(i), last) > 0) return false;
    if (!each({height - 1, place_of(index, i), index.key(i)})) return false;
    if (height == 1) continue;
    const uint64_t below = begin_of(index, i, begin);
    ZENITH_TRY_ASSIGN(const block_ptr lower, child(index, i, height - 1, below));
    ZENITH_TRY_ASSIGN(const bool goes_on,
                      visit_below(*lower, height - 1, below, first, last, each));
    if (!goes_on) return false;
  }
  return true;
}

tl::unexpected<error> block_file_reader::damaged(uint64_t offset, std::string_view what) const {
  return fail(errc::corrupt,
              fmt::format("{}: damaged at offset {}: {}", name_.string(), offset, what));
}

}  // namespace zenith::layers
