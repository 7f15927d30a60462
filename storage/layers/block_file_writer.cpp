// Writing a block file: blocks as they fill, each index block behind what it leads to, the footer.
#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include <memory>
#include <mutex>
#include <vector>

#include "storage/layers/block.hpp"
#include "storage/layers/block_file.hpp"
#include "storage/layers/block_file_format.hpp"
#include "storage/layers/block_filter.hpp"

namespace zenith::layers {
namespace {

/// Blocks are written to the file when so many bytes of them wait.
constexpr size_t buffer_bytes = size_t{256} << 10;

// A context takes hundreds of kB: one for each writer at work, not for each thread that ever wrote.
class packing_contexts {
 public:
  struct give_back {
    void operator()(ZSTD_CCtx* context) const { all().put(context); }
  };
  using handle = std::unique_ptr<ZSTD_CCtx, give_back>;

  static packing_contexts& all() {
    static packing_contexts one;
    return one;
  }
  handle take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return handle(ZSTD_createCCtx());
    handle taken(idle_.back().release());
    idle_.pop_back();
    return taken;
  }

 private:
  struct free_context {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  static constexpr size_t idle_max = 4;

  void put(ZSTD_CCtx* context) {
    std::unique_ptr<ZSTD_CCtx, free_context> idle(context);
    const std::lock_guard lock(mutex_);
    if (idle_.size() < idle_max) idle_.push_back(std::move(idle));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<ZSTD_CCtx, free_context>> idle_;
};

/// Of either.
size_t packed_bytes_max(size_t size_bytes) {
  const size_t by_lz4 = size_bytes <= LZ4_MAX_INPUT_SIZE
                            ? static_cast<size_t>(LZ4_compressBound(static_cast<int>(size_bytes)))
                            : 0;
  return std::max({ZSTD_compressBound(size_bytes), by_lz4, size_bytes});
}

/// Both give the size packed, 0 where it cannot be packed.
size_t pack_by_zstd(byte_view from, byte_span into, int level) {
  const size_t stored = ZSTD_compressCCtx(packing_contexts::all().take().get(), into.data(),
                                          into.size(), from.data(), from.size(), level);
  return ZSTD_isError(stored) ? 0 : stored;
}
size_t pack_by_lz4(byte_view from, byte_span into) {
  if (from.size() > LZ4_MAX_INPUT_SIZE || into.size() > INT32_MAX) return 0;
  return static_cast<size_t>(LZ4_compress_default(
      reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(into.data()),
      static_cast<int>(from.size()), static_cast<int>(into.size())));
}

void append(bytes& to, byte_view part) { to.insert(to.end(), part.begin(), part.end()); }

}  // namespace

block_file_writer::block_file_writer(file_system& files, path name, std::unique_ptr<file> out,
                                     const block_file_description& description, int level,
                                     const block_file_sizes& sizes)
    : files_(&files),
      name_(std::move(name)),
      file_(std::move(out)),
      description_(description),
      level_(level),
      sizes_(sizes),
      index_(1) {}

result<block_file_writer> block_file_writer::create(file_system& files, const path& name,
                                                    const block_file_description& description,
                                                    int compression_level,
                                                    const block_file_sizes& sizes) {
  ZENITH_TRY_ASSIGN(auto out, files.open(name, open_mode::create_new));
  block_file_header header{};
  header.magic = header_magic;
  header.format_version = block_file_format_version;
  header.content = static_cast<uint32_t>(description.content);
  header.key_size_bytes = description.key_size_bytes;
  header.filter_key_bytes = description.filter_key_bytes;
  header.first_lsn = description.first.value();
  header.last_lsn = description.last.value();
  header.crc = crc32c(view_of(header).subspan(8));
  ZENITH_TRY(out->write(0, view_of(header)));
  block_file_writer writer(files, name, std::move(out), description, compression_level, sizes);
  writer.offset_ = sizeof header;
  return writer;
}

result<void> block_file_writer::add(byte_view key, byte_view value, byte_view rest) {
  if (key.size() != description_.key_size_bytes)
    return fail(errc::invalid_argument,
                fmt::format("{}: a key has {} bytes, expected {}", name_.string(), key.size(),
                            description_.key_size_bytes));
  const size_t value_bytes = value.size() + rest.size();
  if (value_bytes > value_limit_bytes)
    return fail(errc::invalid_argument,
                fmt::format("{}: a value has {} bytes, more than {}", name_.string(), value_bytes,
                            size_t{value_limit_bytes}));
  if (entries_ != 0 && compare(last_key_.view(), key) >= 0)
    return fail(errc::invalid_argument, fmt::format("{}: entry {} is not behind the one before it",
                                                    name_.string(), entries_ + 1));
  if (!open_.is_empty() && open_.size_bytes() + key.size() + value_bytes > sizes_.data_block_bytes)
    ZENITH_TRY(flush_before(key, value_bytes));
  const size_t filtered = description_.filter_key_bytes;
  if (filtered != 0 && (open_.is_empty() || compare(last_key_.view(), key.first(filtered)) != 0))
    open_hashes_.push_back(filter_hash(key.first(filtered)));
  open_.add(key, value, rest);
  last_key_.clear();
  last_key_.append(key);
  ++entries_;
  return {};
}

/// Closes the open block. What it has of the key that comes goes into the next one, where that may
/// take all of it so far: who reads one of a page and the records on it reads the others too.
result<void> block_file_writer::flush_before(byte_view key, size_t value_bytes) {
  const size_t same_bytes = description_.filter_key_bytes;
  const size_t size = description_.key_size_bytes;
  const size_t count = open_.ends.size();
  size_t kept = count;
  while (same_bytes != 0 && kept > 0 &&
         compare(open_.keys.view().subspan((kept - 1) * size, same_bytes), key.first(same_bytes)) ==
             0)
    --kept;
  if (kept == 0 || kept == count) return flush_block();
  const uint32_t values_kept = open_.ends[kept - 1];
  const size_t together =
      (count - kept + 1) * size + open_.values.size() - values_kept + value_bytes;
  const bool is_large = value_bytes >= sizes_.data_block_bytes / 2;
  if (together > (is_large ? 2 : 1) * sizes_.data_block_bytes) return flush_block();
  for (size_t i = kept; i < count; ++i) {
    const uint32_t begin = open_.ends[i - 1];
    moved_.add(open_.keys.view().subspan(i * size, size),
               open_.values.view().subspan(begin, open_.ends[i] - begin));
  }
  open_.keys.cut(kept * size);
  open_.ends.resize(kept);
  open_.values.cut(values_kept);
  const uint64_t hash = open_hashes_.back();
  open_hashes_.pop_back();
  ZENITH_TRY(flush_block());
  std::swap(open_, moved_);
  open_hashes_.push_back(hash);
  return {};
}

result<void> block_file_writer::flush_block() {
  const byte_view first_key = open_.keys.view().first(description_.key_size_bytes);
  const bytes first(first_key.begin(), first_key.end());
  bytes filter;
  append_filter(open_hashes_, filter);
  open_hashes_.clear();
  ++blocks_;
  ZENITH_TRY_ASSIGN(const block_place place, write_block(open_));
  return add_to_index(0, first, place, filter);
}

/// A full index block is written at once, so that it lies behind the last block that it leads to.
result<void> block_file_writer::add_to_index(size_t level, byte_view key, const block_place& place,
                                             byte_view filter) {
  if (level == index_.size()) index_.emplace_back();
  place_.clear();
  append(place_, view_of(place));
  append(place_, filter);
  index_[level].add(key, place_);
  return index_[level].size_bytes() < sizes_.index_block_bytes ? result<void>{}
                                                               : flush_index(level);
}

result<void> block_file_writer::flush_index(size_t level) {
  const byte_view first_key = index_[level].keys.view().first(description_.key_size_bytes);
  const bytes first(first_key.begin(), first_key.end());
  ZENITH_TRY_ASSIGN(const block_place place, write_block(index_[level]));
  return add_to_index(level + 1, first, place, {});
}

/// Puts it at the end of the file and empties it. Gives where it lies.
result<block_place> block_file_writer::write_block(pending_block& block) {
  const auto count = static_cast<uint32_t>(block.ends.size());
  unpacked_.clear();
  unpacked_.append(view_of(count));
  unpacked_.append(block.keys.view());
  unpacked_.append(std::as_bytes(std::span(block.ends)));
  unpacked_.append(block.values.view());
  if (unpacked_.size() > block_limit_bytes)
    return fail(errc::limit, fmt::format("{}: a block of {} bytes is more than {}", name_.string(),
                                         unpacked_.size(), block_limit_bytes));
  const size_t begin = buffer_.size();
  const size_t room = packed_bytes_max(unpacked_.size());
  std::byte* const at = buffer_.reserve(sizeof(block_header) + room);
  const byte_span packed(at + sizeof(block_header), room);
  block_header header{};
  header.compression = level_ == lz4_level ? compression_lz4 : compression_zstd;
  size_t stored = level_ == lz4_level ? pack_by_lz4(unpacked_.view(), packed)
                                      : pack_by_zstd(unpacked_.view(), packed, level_);
  if (stored == 0 || stored >= unpacked_.size()) {
    header.compression = compression_none;
    stored = unpacked_.size();
    std::ranges::copy(unpacked_.view(), packed.begin());
  }
  header.stored_bytes = static_cast<uint32_t>(stored);
  header.unpacked_bytes = static_cast<uint32_t>(unpacked_.size());
  store(at, header);
  header.crc = crc32c(byte_view(at + 4, sizeof header - 4 + stored));
  store(at, header);
  buffer_.add(sizeof header + stored);
  block.keys.clear();
  block.ends.clear();
  block.values.clear();
  const block_place place{offset_ + begin, static_cast<uint32_t>(sizeof header + stored), 0};
  if (buffer_.size() >= buffer_bytes) ZENITH_TRY(write_out());
  return place;
}

result<void> block_file_writer::write_out() {
  ZENITH_TRY(file_->write(offset_, buffer_.view()));
  offset_ += buffer_.size();
  buffer_.clear();
  return {};
}

result<uint64_t> block_file_writer::finish() {
  if (!open_.is_empty()) ZENITH_TRY(flush_block());
  for (size_t level = 0; level + 1 < index_.size(); ++level)
    if (!index_[level].is_empty()) ZENITH_TRY(flush_index(level));
  block_file_footer footer{};
  footer.magic = footer_magic;
  footer.blocks = blocks_;
  footer.entries = entries_;
  footer.index_levels = static_cast<uint32_t>(index_.size() - 1);
  ZENITH_TRY_ASSIGN(const block_place root, write_block(index_.back()));
  footer.index_offset = root.offset;
  footer.index_bytes = root.size_bytes;
  footer.file_bytes = offset_ + buffer_.size() + sizeof footer;
  footer.crc = crc32c(view_of(footer).subspan(8));
  buffer_.append(view_of(footer));
  ZENITH_TRY(write_out());
  ZENITH_TRY(file_->sync());
  ZENITH_TRY(files_->sync_directory(name_.parent_path().empty() ? path(".") : name_.parent_path()));
  return footer.file_bytes;
}

}  // namespace zenith::layers
