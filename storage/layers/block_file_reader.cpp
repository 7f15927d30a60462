// Reading a block file: frame, index, blocks and the small cache of unpacked ones.
#include <fmt/format.h>
#include <zstd.h>

#include "storage/layers/block_file.hpp"
#include "storage/layers/block_file_format.hpp"

namespace zenith::layers {
namespace {

struct free_context {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_DCtx* unpacking_context() {
  static thread_local std::unique_ptr<ZSTD_DCtx, free_context> context(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

result<block> block::parse(bytes unpacked, uint32_t key_size_bytes) {
  block b;
  b.key_size_ = key_size_bytes;
  const uint64_t size = unpacked.size();
  if (size < 4) return fail(errc::corrupt, fmt::format("has {} bytes, expected at least 4", size));
  b.count_ = load<uint32_t>(unpacked.data());
  const uint64_t ends = 4 + uint64_t{b.count_} * key_size_bytes;
  const uint64_t values = ends + uint64_t{b.count_} * 4;
  if (values > size)
    return fail(errc::corrupt, fmt::format("has {} bytes, expected at least {} for its {} entries",
                                           size, values, b.count_));
  uint64_t last_end = 0;
  for (uint64_t i = 0; i < b.count_; ++i) {
    const auto end = load<uint32_t>(unpacked.data() + ends + 4 * i);
    if (end < last_end || end > size - values)
      return fail(errc::corrupt, fmt::format("says that its value {} ends at {}, expected {} to {}",
                                             i, end, last_end, size - values));
    last_end = end;
  }
  b.ends_ = ends;
  b.values_ = values;
  b.data_ = std::move(unpacked);
  return b;
}

byte_view block::value(uint32_t i) const {
  const auto end_of = [&](uint32_t n) {
    return load<uint32_t>(data_.data() + ends_ + 4 * size_t{n});
  };
  const uint32_t begin = i == 0 ? 0 : end_of(i - 1);
  return byte_view(data_).subspan(values_ + begin, end_of(i) - begin);
}

uint32_t block::lower_bound(byte_view wanted) const {
  uint32_t low = 0;
  uint32_t high = count_;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (compare(key(middle), wanted) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

result<std::unique_ptr<block_file_reader>> block_file_reader::open(file_system& files,
                                                                   const path& name,
                                                                   block_file_content content,
                                                                   uint32_t key_size_bytes,
                                                                   size_t cache_bytes) {
  std::unique_ptr<block_file_reader> reader(new block_file_reader);
  reader->name_ = name;
  reader->cache_limit_bytes_ = cache_bytes;
  ZENITH_TRY_ASSIGN(reader->file_, files.open(name, open_mode::read));
  reader->description_.content = content;
  reader->description_.key_size_bytes = key_size_bytes;
  uint64_t index_offset = 0;
  uint32_t index_bytes = 0;
  ZENITH_TRY(reader->read_frame(index_offset, index_bytes));
  ZENITH_TRY_ASSIGN(bytes unpacked, reader->read_block(index_offset, index_bytes));
  auto index = block::parse(std::move(unpacked), key_size_bytes);
  if (!index) return reader->damaged(index_offset, "the index " + index.error().message);
  reader->index_ = std::move(*index);
  ZENITH_TRY(reader->check_index());
  return reader;
}

/// Header and footer; gives where the index lies.
result<void> block_file_reader::read_frame(uint64_t& index_offset, uint32_t& index_bytes) {
  block_file_header header;
  block_file_footer footer;
  ZENITH_TRY_ASSIGN(const uint64_t size, file_->size_bytes());
  if (size < sizeof header + sizeof footer)
    return damaged(0, fmt::format("the file has {} bytes, expected at least {}", size,
                                  sizeof header + sizeof footer));
  ZENITH_TRY(file_->read(0, std::as_writable_bytes(std::span(&header, 1))));
  const auto expect = [&](uint64_t at, const char* what, uint64_t expected,
                          uint64_t found) -> result<void> {
    if (expected == found) return {};
    return damaged(at, fmt::format("{}: expected {:#x}, found {:#x}", what, expected, found));
  };
  ZENITH_TRY(expect(0, "magic of the header", header_magic, header.magic));
  ZENITH_TRY(expect(4, "checksum of the header", crc32c(view_of(header).subspan(8)), header.crc));
  ZENITH_TRY(expect(8, "format version", block_file_format_version, header.format_version));
  ZENITH_TRY(
      expect(12, "kind of entries", static_cast<uint32_t>(description_.content), header.content));
  ZENITH_TRY(expect(16, "size of a key", description_.key_size_bytes, header.key_size_bytes));
  description_.first = lsn{header.first_lsn};
  description_.last = lsn{header.last_lsn};

  const uint64_t end = size - sizeof footer;
  ZENITH_TRY(file_->read(end, std::as_writable_bytes(std::span(&footer, 1))));
  ZENITH_TRY(expect(end, "magic of the footer", footer_magic, footer.magic));
  ZENITH_TRY(
      expect(end + 4, "checksum of the footer", crc32c(view_of(footer).subspan(8)), footer.crc));
  ZENITH_TRY(expect(end + 40, "size of the file", size, footer.file_bytes));
  ZENITH_TRY(expect(end + 8, "end of the index", end, footer.index_offset + footer.index_bytes));
  if (footer.index_offset < sizeof header || footer.index_offset > end)
    return damaged(end + 8, fmt::format("the index is said to lie at {}", footer.index_offset));
  index_offset = footer.index_offset;
  index_bytes = footer.index_bytes;
  blocks_end_ = footer.index_offset;
  entries_ = footer.entries;
  return {};
}

/// Blocks follow each other from the header to the index, and their first keys rise.
result<void> block_file_reader::check_index() {
  uint64_t expected = sizeof(block_file_header);
  for (uint32_t i = 0; i < index_.size(); ++i) {
    const byte_view value = index_.value(i);
    if (value.size() != sizeof(block_place))
      return damaged(blocks_end_, fmt::format("entry {} of the index has {} bytes, expected {}", i,
                                              value.size(), sizeof(block_place)));
    const auto place = zenith::load<block_place>(value.data());
    if (place.offset != expected)
      return damaged(blocks_end_, fmt::format("entry {} of the index says offset {}, expected {}",
                                              i, place.offset, expected));
    if (i != 0 && compare(index_.key(i - 1), index_.key(i)) >= 0)
      return damaged(blocks_end_, fmt::format("entry {} of the index is out of order", i));
    expected += place.size_bytes;
  }
  if (expected != blocks_end_)
    return damaged(blocks_end_,
                   fmt::format("the blocks end at {}, expected {}", expected, blocks_end_));
  return {};
}

uint32_t block_file_reader::block_of(byte_view key) const {
  const uint32_t at = index_.lower_bound(key);
  if (at < index_.size() && compare(index_.key(at), key) == 0) return at;
  return at == 0 ? index_.size() : at - 1;
}

result<block_ptr> block_file_reader::load(uint32_t number) const {
  if (block_ptr hit = cached(number)) return hit;
  const auto place = zenith::load<block_place>(index_.value(number).data());
  ZENITH_TRY_ASSIGN(bytes unpacked, read_block(place.offset, place.size_bytes));
  auto parsed = block::parse(std::move(unpacked), description_.key_size_bytes);
  if (!parsed)
    return damaged(place.offset, fmt::format("block {} {}", number, parsed.error().message));
  if (parsed->size() == 0 || compare(parsed->key(0), index_.key(number)) != 0)
    return damaged(place.offset, fmt::format("block {} does not begin with the key that the index "
                                             "has for it",
                                             number));
  auto loaded = std::make_shared<const block>(std::move(*parsed));
  remember(number, loaded);
  return loaded;
}

result<bytes> block_file_reader::read_block(uint64_t offset, uint32_t size_bytes) const {
  if (size_bytes < sizeof(block_header))
    return damaged(offset, fmt::format("a block has {} bytes, expected at least {}", size_bytes,
                                       sizeof(block_header)));
  bytes raw(size_bytes);
  ZENITH_TRY(file_->read(offset, raw));
  const auto header = zenith::load<block_header>(raw.data());
  if (header.stored_bytes != size_bytes - sizeof header)
    return damaged(offset + 4, fmt::format("a block's stored size: expected {}, found {}",
                                           size_bytes - sizeof header, header.stored_bytes));
  if (const uint32_t crc = crc32c(byte_view(raw).subspan(4)); crc != header.crc)
    return damaged(offset, fmt::format("checksum of a block of {} bytes: expected {:#010x}, found "
                                       "{:#010x}",
                                       size_bytes, header.crc, crc));
  if (header.compression == compression_none && header.unpacked_bytes == header.stored_bytes) {
    raw.erase(raw.begin(), raw.begin() + sizeof header);
    return raw;
  }
  if (header.compression != compression_zstd || header.unpacked_bytes > block_limit_bytes)
    return damaged(offset + 8, fmt::format("a block with compression {} and {} bytes unpacked",
                                           header.compression, header.unpacked_bytes));
  bytes unpacked(header.unpacked_bytes);
  const size_t got = ZSTD_decompressDCtx(unpacking_context(), unpacked.data(), unpacked.size(),
                                         raw.data() + sizeof header, header.stored_bytes);
  if (ZSTD_isError(got) || got != unpacked.size())
    return damaged(offset,
                   fmt::format("a block does not unpack to {} bytes: {}", unpacked.size(),
                               ZSTD_isError(got) ? ZSTD_getErrorName(got) : "it is shorter"));
  return unpacked;
}

result<void> block_file_reader::scan(
    byte_view first, byte_view last,
    const std::function<bool(byte_view key, byte_view value)>& each) const {
  uint32_t number = block_of(first);
  if (number == blocks()) number = 0;
  for (; number < blocks() && compare(index_.key(number), last) <= 0; ++number) {
    ZENITH_TRY_ASSIGN(const block_ptr b, load(number));
    for (uint32_t i = b->lower_bound(first); i < b->size(); ++i)
      if (compare(b->key(i), last) > 0 || !each(b->key(i), b->value(i))) return {};
  }
  return {};
}

block_ptr block_file_reader::cached(uint32_t number) const {
  const std::lock_guard lock(cache_mutex_);
  const auto found = cache_.find(number);
  if (found == cache_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found->second);
  return found->second->data;
}

void block_file_reader::remember(uint32_t number, const block_ptr& loaded) const {
  if (loaded->size_bytes() > cache_limit_bytes_) return;
  const std::lock_guard lock(cache_mutex_);
  if (cache_.contains(number)) return;
  recent_.push_front({number, loaded});
  cache_.emplace(number, recent_.begin());
  cache_bytes_ += loaded->size_bytes();
  while (cache_bytes_ > cache_limit_bytes_) {
    cache_bytes_ -= recent_.back().data->size_bytes();
    cache_.erase(recent_.back().number);
    recent_.pop_back();
  }
}

tl::unexpected<error> block_file_reader::damaged(uint64_t offset, std::string_view what) const {
  return fail(errc::corrupt,
              fmt::format("{}: damaged at offset {}: {}", name_.string(), offset, what));
}

}  // namespace zenith::layers
