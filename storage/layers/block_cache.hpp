// block_cache: unpacked blocks of all layer files, in one bound of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace zenith::layers {

class block;
using block_ptr = std::shared_ptr<const block>;

/// Thread-safe. A block that was given out stays valid when it is evicted.
class block_cache {
 public:
  explicit block_cache(size_t limit_bytes);
  ~block_cache();

  /// `file`: a number that no two open files share; `offset`: where the block lies in it.
  block_ptr find(uint64_t file, uint64_t offset);
  /// Keeps it where it fits; `size_bytes`: what it takes.
  void put(uint64_t file, uint64_t offset, const block_ptr& loaded, size_t size_bytes);

  size_t size_bytes() const;
  size_t limit_bytes() const { return limit_bytes_; }

 private:
  struct shard;
  const size_t limit_bytes_;
  std::vector<std::unique_ptr<shard>> shards_;
};

}  // namespace zenith::layers
