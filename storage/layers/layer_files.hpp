// layer_files: the layer files of a repository as layers, opened when they are first read.
#pragma once

#include <memory>
#include <set>

#include "storage/io/file_system.hpp"
#include "storage/layers/block_cache.hpp"
#include "storage/layers/layer.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

class stored_layer;

/// One a node, shared by all timelines; thread-safe. Layers that it gave are read only while it is
/// there, but may end later.
///
/// A layer that it gave is an open or unopened file that stays there while somebody holds it. No
/// more than a bounded number of files is open; one that was closed is opened again when it is
/// read. A file's header, index and blocks are checked whenever they come from the disk.
class layer_files {
 public:
  struct limits {
    size_t block_cache_bytes = size_t{64} << 20;
    size_t open_files_max = 1000;
  };
  /// `timelines`: the folder with one folder a timeline.
  layer_files(file_system& files, path timelines, const limits& bounds);
  ~layer_files();

  path path_of(const layer_name& name) const;
  file_system& files() const { return files_; }

  /// The whole file as a layer; does no I/O. The same object as long as somebody holds it.
  std::shared_ptr<const layer> find(const layer_file_info& info);

  /// Everything that the file holds, for merges: of keys from first to last, both included, the
  /// versions at or before `until`. Passes the block cache by. Errors: not_found, io, corrupt.
  result<std::unique_ptr<version_cursor>> cursor(const layer_file_info& info, const key& first,
                                                 const key& last, lsn until);
  /// Keys that part a file's slice into pieces of about so many stored bytes, rising, each the
  /// first of a piece but the first piece's; none where it is smaller. Errors: as cursor.
  result<std::vector<key>> split(const layer_file_info& info, const key& first, const key& last,
                                 uint64_t piece_bytes);

  /// Begins to note the names that are given out from now on; those in use now are among them.
  void begin_sweep();
  /// The names that were in use at any time since begin_sweep(); ends the noting.
  std::set<layer_name> end_sweep();

  block_cache& cache() { return cache_; }
  /// How many files are open now.
  size_t open_files() const;

 private:
  struct state;
  std::shared_ptr<const stored_layer> stored(const layer_file_info& info);

  file_system& files_;
  path timelines_;
  block_cache cache_;
  std::unique_ptr<state> state_;
};

}  // namespace zenith::layers
