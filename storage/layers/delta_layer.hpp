// delta_layer: WAL records and values of an LSN range in a file, sorted by key and LSN.
//
// A block file (block_file.hpp) whose content is 2 and whose header names the LSN after which its
// versions lie (first) and the newest one's (last). All integers big-endian in keys, so that memcmp
// orders them, and little-endian in values. Frozen.
//
// Key, 26 bytes:
//    0  the key (base/key.hpp, encode), 18 bytes
//   18  u64  the version's LSN with all bits turned over: of one key, the newest comes first
//
// Value:
//    0  u8   version_kind
//   changes, initialises:
//    1  u32  bytes of WAL from the record's start to its end
//    5  the record; what redo of the key's page does not need may be left out of it: images of
//    other
//       blocks, those for checking, its CRC and the link to the record before it (then zeros)
//   value:
//    1  the value
//   absent: nothing more
//   copy:
//    1  the source's key, 18 bytes
//   19  u64  the LSN as of which the source is read
#pragma once

#include <memory>
#include <optional>

#include "storage/layers/block_file.hpp"
#include "storage/layers/block_file_reader.hpp"
#include "storage/layers/layer.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// Writes a delta layer from its first key to its last. Nothing counts before finish().
class delta_writer {
 public:
  /// All versions lie after `after`, at or before `last`. The file must not exist; its folder is
  /// made where it is missing. Errors: already_exists, io.
  static result<delta_writer> create(file_system& files, const path& file, const layer_name& name,
                                     lsn after, lsn last, int compression_level,
                                     const block_file_sizes& sizes = {});

  /// In the order of version_cursor: keys rise, LSNs of one key fall strictly. Errors:
  /// invalid_argument (they do not), io.
  result<void> add(const version_entry& entry);
  /// File and name are durable afterwards. Error: io; invalid_argument where nothing was added.
  result<layer_file_info> finish();

  uint64_t entries() const { return info_.entries; }
  /// About what the file has now.
  uint64_t stored_bytes() const { return out_.stored_bytes(); }

 private:
  delta_writer(block_file_writer out, layer_file_info info)
      : out_(std::move(out)), info_(std::move(info)) {}
  block_file_writer out_;
  layer_file_info info_;
  encoded_key last_key_{};  // info_.last_key
};

/// Reads such a file, open as long as the layer.
class delta_layer final : public layer, public std::enable_shared_from_this<delta_layer> {
 public:
  /// `cache` outlives the layer; `cache_file`: the file's number in it. Errors: not_found, io,
  /// corrupt (naming file, offset, expected and found).
  static result<std::shared_ptr<const delta_layer>> open(file_system& files, const path& name,
                                                         block_cache& cache, uint64_t cache_file);

  const block_file_reader& file() const { return *reader_; }

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override;
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override;
  result<std::optional<transaction_end>> first_later_than(int64_t time_us,
                                                          lsn until) const override;
  result<std::optional<transaction_end>> first_end_from(lsn from, lsn until) const override;
  result<std::optional<int64_t>> newest_time(lsn until) const override;

  /// Of keys from first to last, both included, the versions at or before `until`, past the cache.
  /// Holds the layer.
  std::unique_ptr<version_cursor> cursor(const key& first, const key& last, lsn until) const;

 private:
  explicit delta_layer(std::unique_ptr<block_file_reader> reader) : reader_(std::move(reader)) {}
  std::unique_ptr<block_file_reader> reader_;
};

}  // namespace zenith::layers
