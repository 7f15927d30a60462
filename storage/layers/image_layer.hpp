// image_layer: whole values at one LSN in a file, such as the base of a root timeline.
#pragma once

#include "storage/layers/block_file_reader.hpp"
#include "storage/layers/layer.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// Writes an image layer's file (format: block_file.hpp; keys as encode(key) has them).
class image_writer {
 public:
  static constexpr int default_compression_level = -1;

  /// `at`: the LSN as of which all values are. `name` must not exist. Errors: already_exists, io.
  static result<image_writer> create(file_system& files, const path& name, lsn at,
                                     int compression_level = default_compression_level,
                                     const block_file_sizes& sizes = {});

  /// Keys must rise strictly; sizes of relations are entries too. Errors: invalid_argument, io.
  result<void> add(const key& k, byte_view value);
  /// Makes file and name durable. Without it the file is no image. Gives its size in bytes.
  result<uint64_t> finish() { return out_.finish(); }

  uint64_t entries() const { return out_.entries(); }

 private:
  explicit image_writer(block_file_writer out) : out_(std::move(out)) {}
  block_file_writer out_;
};

class image_layer final : public layer, public std::enable_shared_from_this<image_layer> {
 public:
  static constexpr size_t default_cache_bytes = size_t{32} << 20;

  /// With a cache of its own. Errors: not_found, io, corrupt (naming file, offset, expected and
  /// found).
  static result<std::shared_ptr<const image_layer>> open(file_system& files, const path& name,
                                                         size_t cache_bytes = default_cache_bytes);
  /// `cache` outlives the layer; `cache_file`: the file's number in it. Errors: the same.
  static result<std::shared_ptr<const image_layer>> open(file_system& files, const path& name,
                                                         block_cache& cache, uint64_t cache_file);

  /// The LSN of all its values.
  lsn at() const { return reader_->description().first; }
  uint64_t entries() const { return reader_->entries(); }
  const block_file_reader& file() const { return *reader_; }

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override;
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override;

  /// Of keys from first to last, both included, the values if they are from at or before `until`,
  /// past the cache. Holds the layer.
  std::unique_ptr<version_cursor> cursor(const key& first, const key& last, lsn until) const;

  /// Reads and checks every block; gives the first error. Error: corrupt, io.
  result<void> verify() const;

 private:
  image_layer(std::unique_ptr<block_cache> own_cache, std::unique_ptr<block_file_reader> reader)
      : own_cache_(std::move(own_cache)), reader_(std::move(reader)) {}
  std::unique_ptr<block_cache> own_cache_;  // may be nullptr
  std::unique_ptr<block_file_reader> reader_;
};

}  // namespace zenith::layers
