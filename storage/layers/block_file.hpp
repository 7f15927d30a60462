// block_file: a file of sorted entries in compressed, checksummed blocks with an index.
//
// What image layers (and later other layers) lie in. Entries have keys of one fixed size that
// memcmp orders, strictly rising, and values of any size. All integers little-endian; all frozen.
//
// File: header, blocks, index (a block as well), footer.
//
// Header, 64 bytes at offset 0:
//    0  u32  magic "ZBLK"
//    4  u32  crc32c of bytes 8..63
//    8  u32  format version, 1
//   12  u32  what the entries are: 1 an image layer's
//   16  u32  size of a key in bytes
//   20  u32  zero
//   24  u64  first LSN that the entries describe
//   32  u64  last LSN that the entries describe (an image: the same)
//   40  24 bytes, zero
//
// Block, 16 bytes and what is stored:
//    0  u32  crc32c of bytes 4..end
//    4  u32  size of what is stored, in bytes
//    8  u32  size of it unpacked, in bytes
//   12  u32  compression: 0 none, 1 zstd
//   16  stored bytes
// Unpacked: u32 number of entries, the keys, a u32 for each entry: where its value ends, counted
// from the first value's start; then the values.
//
// Index: a block whose keys are each block's first key and whose values have 16 bytes:
//    0  u64  the block's offset in the file
//    8  u32  its size in the file, in bytes (its 16 bytes before what is stored included)
//   12  u32  zero
//
// Footer, 48 bytes, the file's last:
//    0  u32  magic "ZEND"
//    4  u32  crc32c of bytes 8..47
//    8  u64  offset of the index
//   16  u32  size of the index in the file, in bytes
//   20  u32  zero
//   24  u64  number of entries
//   32  u64  number of blocks
//   40  u64  size of the file in bytes
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::layers {

struct block_file_header {
  uint32_t magic;
  uint32_t crc;
  uint32_t format_version;
  uint32_t content;
  uint32_t key_size_bytes;
  uint32_t zero;
  uint64_t first_lsn;
  uint64_t last_lsn;
  std::byte reserved[24];
};
static_assert(sizeof(block_file_header) == 64);

struct block_header {
  uint32_t crc;
  uint32_t stored_bytes;
  uint32_t unpacked_bytes;
  uint32_t compression;
};
static_assert(sizeof(block_header) == 16);

struct block_file_footer {
  uint32_t magic;
  uint32_t crc;
  uint64_t index_offset;
  uint32_t index_bytes;
  uint32_t zero;
  uint64_t entries;
  uint64_t blocks;
  uint64_t file_bytes;
};
static_assert(sizeof(block_file_footer) == 48);

/// What the entries of a file are; the numbers are stored.
enum class block_file_content : uint32_t { image_layer = 1 };

/// What a file says of itself.
struct block_file_description {
  block_file_content content{};
  uint32_t key_size_bytes = 0;
  lsn first;
  lsn last;
};

/// Writes a file from its start to its end. Nothing counts before finish().
class block_file_writer {
 public:
  /// Blocks are closed when their values and keys reach this size; a larger value has its own.
  static constexpr size_t block_target_bytes = 60 * 1024;
  /// A value may not be larger than this.
  static constexpr size_t value_limit_bytes = size_t{1} << 30;

  /// `name` must not exist. Errors: already_exists, io.
  static result<block_file_writer> create(file_system& files, const path& name,
                                          const block_file_description& description,
                                          int compression_level);

  /// Keys must rise strictly. Errors: invalid_argument (they do not, or a size is wrong), io.
  result<void> add(byte_view key, byte_view value);
  /// Writes index and footer; the file and its name are durable afterwards. Gives its size.
  result<uint64_t> finish();

  uint64_t entries() const { return entries_; }

 private:
  struct pending_block {
    bytes keys;
    std::vector<uint32_t> ends;
    bytes values;
  };
  block_file_writer(file_system& files, path name, std::unique_ptr<file> out,
                    const block_file_description& description, int level);
  result<uint64_t> write_block(pending_block& block);
  result<void> flush_block();

  file_system* files_;
  path name_;
  std::unique_ptr<file> file_;
  block_file_description description_;
  int level_;
  uint64_t offset_ = 0;
  uint64_t entries_ = 0;
  bytes last_key_;
  pending_block open_;
  pending_block index_;
};

/// An unpacked block, whose inner sizes were checked.
class block {
 public:
  /// Error: corrupt (without the file's name).
  static result<block> parse(bytes unpacked, uint32_t key_size_bytes);

  uint32_t size() const { return count_; }
  byte_view key(uint32_t i) const {
    return byte_view(data_).subspan(4 + size_t{i} * key_size_, key_size_);
  }
  byte_view value(uint32_t i) const;
  /// The first entry whose key is not below this one; size() where all are.
  uint32_t lower_bound(byte_view key) const;
  size_t size_bytes() const { return data_.size(); }

 private:
  bytes data_;
  uint32_t count_ = 0;
  uint32_t key_size_ = 0;
  size_t ends_ = 0;    // offset in data_
  size_t values_ = 0;  // offset in data_
};
using block_ptr = std::shared_ptr<const block>;

/// Reads a file; safe from many threads. Every block is checked each time it comes from the disk,
/// and a bad one fails only the reads that need it.
class block_file_reader {
 public:
  /// Reads header, footer and index. `cache_bytes`: how much of unpacked blocks is kept.
  /// Errors: not_found, io, corrupt (naming file, offset, expected and found).
  static result<std::unique_ptr<block_file_reader>> open(file_system& files, const path& name,
                                                         block_file_content content,
                                                         uint32_t key_size_bytes,
                                                         size_t cache_bytes);

  const block_file_description& description() const { return description_; }
  uint64_t entries() const { return entries_; }
  uint32_t blocks() const { return index_.size(); }

  /// The block in which a key would lie; blocks() where it lies before all.
  uint32_t block_of(byte_view key) const;
  /// Error: corrupt, io.
  result<block_ptr> load(uint32_t number) const;

  /// Calls back for each entry from first to last, both included, until it gives false.
  result<void> scan(byte_view first, byte_view last,
                    const std::function<bool(byte_view key, byte_view value)>& each) const;

 private:
  block_file_reader() = default;
  result<bytes> read_block(uint64_t offset, uint32_t size_bytes) const;
  result<void> read_frame(uint64_t& index_offset, uint32_t& index_bytes);
  result<void> check_index();
  block_ptr cached(uint32_t number) const;
  void remember(uint32_t number, const block_ptr& loaded) const;
  tl::unexpected<error> damaged(uint64_t offset, std::string_view what) const;

  path name_;
  std::unique_ptr<file> file_;
  block_file_description description_;
  uint64_t entries_ = 0;
  uint64_t blocks_end_ = 0;  // where the index starts
  block index_;

  struct cached_block {
    uint32_t number;
    block_ptr data;
  };
  size_t cache_limit_bytes_ = 0;
  mutable std::mutex cache_mutex_;
  mutable size_t cache_bytes_ = 0;
  mutable std::list<cached_block> recent_;  // most recent first
  mutable std::unordered_map<uint32_t, std::list<cached_block>::iterator> cache_;
};

}  // namespace zenith::layers
