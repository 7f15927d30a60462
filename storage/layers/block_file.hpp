// block_file: a file of sorted entries in compressed, checksummed blocks below an index of levels.
//
// What image layers and delta layers lie in. Entries have keys of one fixed size that memcmp
// orders, strictly rising, and values of any size. All integers little-endian; all frozen.
//
// File: header, then data blocks and index blocks, the root of the index, footer. Blocks follow
// each other without gaps. An index block lies right behind the last block that it leads to, so
// that what lies below it is one stretch of the file that it ends.
//
// Header, 64 bytes at offset 0:
//    0  u32  magic "ZBLK"
//    4  u32  crc32c of bytes 8..63
//    8  u32  format version, 2
//   12  u32  what the entries are: 1 an image layer's, 2 a delta layer's
//   16  u32  size of a key in bytes
//   20  u32  bytes at a key's start that filters are made of; 0: there are no filters
//   24  u64  first LSN that the entries describe
//   32  u64  last LSN that the entries describe (an image: the same)
//   40  24 bytes, zero
//
// Block, 16 bytes and what is stored:
//    0  u32  crc32c of bytes 4..end
//    4  u32  size of what is stored, in bytes
//    8  u32  size of it unpacked, in bytes
//   12  u32  compression: 0 none, 1 zstd, 2 an LZ4 block
//   16  stored bytes; unpacked they are entries (block.hpp)
//
// Entries of an index block: the key is the first one of the block that it leads to, the value is
//    0  u64  that block's offset in the file
//    8  u32  its size in the file, in bytes (its 16 bytes before what is stored included)
//   12  u32  zero
//   16  where it leads to a data block, that block's filter (block_filter.hpp); may be empty
//
// Footer, 48 bytes, the file's last:
//    0  u32  magic "ZEND"
//    4  u32  crc32c of bytes 8..47
//    8  u64  offset of the root index block
//   16  u32  its size in the file, in bytes
//   20  u32  levels of index blocks below the root; 0: the root leads to data blocks
//   24  u64  number of entries
//   32  u64  number of data blocks
//   40  u64  size of the file in bytes
//
// Version 1 differs in this: the root leads to data blocks always, filters are not known, and both
// words at offset 20 are zero. It is read, and not written any more.
#pragma once

#include <memory>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"
#include "storage/layers/append_buffer.hpp"

namespace zenith::layers {

struct block_file_header {
  uint32_t magic;
  uint32_t crc;
  uint32_t format_version;
  uint32_t content;
  uint32_t key_size_bytes;
  uint32_t filter_key_bytes;
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

/// The start of an index entry's value.
struct block_place {
  uint64_t offset;
  uint32_t size_bytes;
  uint32_t zero;

  uint64_t end() const { return offset + size_bytes; }
};
static_assert(sizeof(block_place) == 16);

struct block_file_footer {
  uint32_t magic;
  uint32_t crc;
  uint64_t index_offset;
  uint32_t index_bytes;
  uint32_t index_levels;
  uint64_t entries;
  uint64_t blocks;
  uint64_t file_bytes;
};
static_assert(sizeof(block_file_footer) == 48);

/// What the entries of a file are; the numbers are stored.
enum class block_file_content : uint32_t { image_layer = 1, delta_layer = 2 };

/// What a file says of itself.
struct block_file_description {
  block_file_content content{};
  uint32_t key_size_bytes = 0;
  lsn first;
  lsn last;
  uint32_t filter_key_bytes = 0;
};

/// Sizes that a writer keeps to; readers take any.
struct block_file_sizes {
  /// A data block is closed before its keys and values pass this; a larger value has its own.
  /// Entries of one key stay together where they fit; with a value of half of this at their end
  /// they may take twice of this.
  size_t data_block_bytes = size_t{12} << 10;
  /// An index block is closed when its keys and values have reached this.
  size_t index_block_bytes = size_t{16} << 10;
};

/// Writes a file from its start to its end. Nothing counts before finish().
class block_file_writer {
 public:
  /// A value may not be larger than this.
  static constexpr size_t value_limit_bytes = size_t{1} << 30;

  /// The compression level for LZ4, which costs half of zstd's least; all others are zstd's.
  static constexpr int lz4_level = 0;

  /// `name` must not exist. Errors: already_exists, io.
  static result<block_file_writer> create(file_system& files, const path& name,
                                          const block_file_description& description,
                                          int compression_level,
                                          const block_file_sizes& sizes = {});

  /// The value is what its two parts give together. Keys must rise strictly. Errors:
  /// invalid_argument (they do not, or a size is wrong), io.
  result<void> add(byte_view key, byte_view value, byte_view rest = {});
  /// Writes index and footer; the file and its name are durable afterwards. Gives its size.
  result<uint64_t> finish();

  uint64_t entries() const { return entries_; }
  /// What the file has now, and what waits for the next block as it is.
  uint64_t stored_bytes() const {
    return offset_ + buffer_.size() + open_.keys.size() + open_.values.size();
  }

 private:
  struct pending_block {
    append_buffer keys;
    std::vector<uint32_t> ends;
    append_buffer values;

    void add(byte_view key, byte_view value, byte_view rest = {}) {
      keys.append(key);
      values.append(value);
      values.append(rest);
      ends.push_back(static_cast<uint32_t>(values.size()));
    }
    bool is_empty() const { return ends.empty(); }
    size_t size_bytes() const { return keys.size() + values.size(); }
  };
  block_file_writer(file_system& files, path name, std::unique_ptr<file> out,
                    const block_file_description& description, int level,
                    const block_file_sizes& sizes);
  result<block_place> write_block(pending_block& block);
  result<void> flush_before(byte_view key, size_t value_bytes);
  result<void> flush_block();
  result<void> flush_index(size_t level);
  result<void> add_to_index(size_t level, byte_view key, const block_place& place,
                            byte_view filter);
  result<void> write_out();

  file_system* files_;
  path name_;
  std::unique_ptr<file> file_;
  block_file_description description_;
  int level_;
  block_file_sizes sizes_;
  uint64_t offset_ = 0;   // of buffer_ in the file
  append_buffer buffer_;  // blocks that wait to be written together
  uint64_t entries_ = 0;
  uint64_t blocks_ = 0;
  pending_block moved_;  // empty, but while the open block is closed
  append_buffer last_key_;
  pending_block open_;
  std::vector<uint64_t> open_hashes_;  // of the different filtered keys in it
  std::vector<pending_block> index_;   // from the level that leads to data blocks up
  append_buffer unpacked_;
  bytes place_;
};

}  // namespace zenith::layers
