// block_file_reader: an open block file, and a place among its entries.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string_view>

#include "storage/layers/block.hpp"
#include "storage/layers/block_cache.hpp"
#include "storage/layers/block_file.hpp"
#include "storage/layers/block_file_format.hpp"

namespace zenith::layers {

/// Safe from many threads. Holds the root of the index in memory; every block is checked each time
/// it comes from the disk, and a bad one fails only the reads that need it.
class block_file_reader {
 public:
  /// Reads header, footer and the index's root. `cache` outlives the reader; `cache_file`: the
  /// number that this file has in it. Errors: not_found, io, corrupt (naming file, offset, expected
  /// and found).
  static result<std::unique_ptr<block_file_reader>> open(file_system& files, const path& name,
                                                         block_file_content content,
                                                         uint32_t key_size_bytes,
                                                         block_cache& cache, uint64_t cache_file);
  /// What a file's header says that its entries are. Errors: as open.
  static result<block_file_content> content_of(file_system& files, const path& name);
  /// A number that no other file of this process has in any cache.
  static uint64_t new_cache_file();

  const path& name() const { return name_; }
  const block_file_description& description() const { return description_; }
  uint32_t format_version() const { return format_version_; }
  uint32_t index_levels() const { return index_levels_; }
  uint64_t entries() const { return entries_; }
  uint64_t blocks() const { return blocks_; }
  uint64_t size_bytes() const { return size_bytes_; }

  struct block_visit {
    unsigned height;  ///< 0: a data block, else an index block
    block_place place;
    byte_view first_key;
  };
  /// Calls back for each block but the root, an index block before what it leads to, of data blocks
  /// those that may hold keys from first to last, both included; reads index blocks only. Ends
  /// when it gives false. Errors: corrupt, io.
  result<void> visit(byte_view first, byte_view last,
                     const std::function<bool(const block_visit&)>& each) const;

  /// `damaged at offset ...` of this file.
  tl::unexpected<error> damaged(uint64_t offset, std::string_view what) const;

 private:
  friend class block_file_cursor;
  block_file_reader() = default;

  result<void> expect(uint64_t at, const char* what, uint64_t expected, uint64_t found) const;
  result<void> read_header(block_file_header& header);
  result<void> read_frame(block_place& root);
  result<block> read_block(const block_place& place) const;
  result<block> unpack(byte_view raw, uint64_t offset) const;
  /// What lies below an index block is from `begin` up to the block itself.
  result<void> check_index(const block& index, unsigned height, uint64_t begin,
                           uint64_t offset) const;
  result<void> check_first_key(const block& loaded, const block_place& place,
                               byte_view expected) const;
  /// Whether only who wants one page reads this block, and it is as large as one. Finished pages
  /// have a cache of their own: keeping the block as well would take the place of others, for
  /// nothing.
  bool is_one_page(const block& loaded) const;
  /// A block below an index block, from the cache or from the disk and put there. `height`: of the
  /// wanted block; `begin`: where what lies below it starts.
  result<block_ptr> child(const block& index, uint32_t entry, unsigned height,
                          uint64_t begin) const;
  result<bool> visit_below(const block& index, unsigned height, uint64_t begin, byte_view first,
                           byte_view last,
                           const std::function<bool(const block_visit&)>& each) const;
  static block_place place_of(const block& index, uint32_t entry) {
    return load<block_place>(index.value(entry).data());
  }
  /// Where what lies below an entry's block starts: where the one before it ends.
  static uint64_t begin_of(const block& index, uint32_t entry, uint64_t begin) {
    return entry == 0 ? begin : place_of(index, entry - 1).end();
  }
  /// The entry below which a key would lie; 0 where it lies before all.
  static uint32_t entry_of(const block& index, byte_view key);

  path name_;
  std::unique_ptr<file> file_;
  block_cache* cache_ = nullptr;
  uint64_t cache_file_ = 0;
  block_file_description description_;
  uint32_t format_version_ = 0;
  uint32_t index_levels_ = 0;
  uint64_t entries_ = 0;
  uint64_t blocks_ = 0;
  uint64_t size_bytes_ = 0;
  block root_;
};

/// A place among the entries; for one thread. The reader outlives it.
class block_file_cursor {
 public:
  enum class reads {
    cached,     ///< single blocks, by the cache
    streaming,  ///< what lies ahead as well, past the cache; for who goes on to the end
  };
  explicit block_file_cursor(const block_file_reader& from, reads how = reads::cached)
      : reader_(&from), how_(how) {}

  /// To the first entry whose key is not below this one. Errors: corrupt, io, as of all of these.
  result<void> seek(byte_view key);
  /// As seek, for who asks only for entries whose keys begin with the same so many bytes. False
  /// where there are none at or behind the key: then the place is undefined.
  result<bool> seek_same(byte_view key, size_t same_bytes);
  /// To the last entry whose key is not above this one; at_end() where all are.
  result<void> seek_back(byte_view key);
  /// To the next entry.
  result<void> next();

  bool at_end() const { return data_ == nullptr; }
  byte_view key() const { return data_->key(entry_); }
  byte_view value() const { return data_->value(entry_); }
  /// In which key and value lie.
  const block_ptr& data() const { return data_; }
  /// Where in the file that block lies.
  uint64_t offset() const;

 private:
  struct frame {
    block_ptr holds;  // not for the root
    const block* index = nullptr;
    uint32_t entry = 0;
    uint64_t begin = 0;
  };
  unsigned start();
  result<void> descend(unsigned height, byte_view key);
  result<void> go_below(unsigned height);
  result<bool> to_next_block_entry();
  result<void> load_data();
  frame& frame_at(unsigned height) { return frames_[height - 1]; }
  result<block> stream_block(const block_place& place);

  const block_file_reader* reader_;
  reads how_;
  std::array<frame, index_levels_max + 1> frames_;  // by height of the index block, from 1
  block_ptr data_;
  uint32_t entry_ = 0;
  bytes ahead_;
  uint64_t ahead_at_ = 0;
};

}  // namespace zenith::layers
