// version_buffer: versions of one key held in memory.
#pragma once

#include <span>
#include <vector>

#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// Copies versions, data and all.
class version_buffer {
 public:
  void add(const version_entry& v) {
    // Where data lies is told by its end until all of it is there.
    bytes_.insert(bytes_.end(), v.data.begin(), v.data.end());
    versions_.push_back(v);
  }
  void clear() {
    bytes_.clear();
    versions_.clear();
  }
  size_t size() const { return versions_.size(); }
  size_t size_bytes() const { return bytes_.size() + versions_.size() * sizeof(version_entry); }

  /// In the order in which they were added; valid until the next add() or clear().
  std::span<const version_entry> versions() {
    const std::byte* at = bytes_.data();
    for (version_entry& v : versions_) {
      v.data = {at, v.data.size()};
      at += v.data.size();
    }
    return versions_;
  }

 private:
  bytes bytes_;
  std::vector<version_entry> versions_;
};

}  // namespace zenith::layers
