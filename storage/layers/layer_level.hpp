// layer_level: the slices of one level of a layer map, shared by all maps in which they are the
// same.
#pragma once

#include <memory>
#include <vector>

#include "storage/layers/layer.hpp"
#include "storage/layers/layer_file.hpp"

namespace zenith::layers {

class layer_files;

/// Immutable; reads like a vector. A copy costs a pointer, and shares what layers() made.
class layer_level {
 public:
  layer_level() = default;
  explicit layer_level(std::vector<layer_slice> slices);

  /// Valid as long as this object or a copy.
  const std::vector<layer_slice>& slices() const;
  operator const std::vector<layer_slice>&() const { return slices(); }
  auto begin() const { return slices().begin(); }
  auto end() const { return slices().end(); }
  size_t size() const { return slices().size(); }
  bool empty() const { return slices().empty(); }
  const layer_slice& operator[](size_t i) const { return slices()[i]; }
  const layer_slice& front() const { return slices().front(); }
  const layer_slice& back() const { return slices().back(); }

  enum class form {
    each,    ///< one layer a slice
    sorted,  ///< slices by rising key that do not overlap: one layer for all
  };
  /// Made once, and then kept. `files` and `how` are always the same for one level.
  const std::vector<layer_reference>& layers(layer_files& files, form how) const;

  bool operator==(const layer_level& other) const {
    return shared_ == other.shared_ || slices() == other.slices();
  }

 private:
  struct shared;
  std::shared_ptr<const shared> shared_;  // none: empty
};

}  // namespace zenith::layers
