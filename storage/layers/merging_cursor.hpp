// merging_cursor: several version cursors as one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// In the order of version_cursor. Each key and LSN is in one input only.
class merging_cursor final : public version_cursor {
 public:
  struct input {
    std::unique_ptr<version_cursor> versions;
    std::string name;  ///< for errors: the file
  };
  explicit merging_cursor(std::vector<input> inputs);

  /// Errors: of the inputs; corrupt where two hold the same version, or one is not in order (names
  /// the files).
  result<bool> next(version_entry& into) override;

 private:
  struct waiting {
    version_entry entry;
    size_t input = 0;
  };
  result<void> advance(size_t place, const version_entry* last);
  void sift_down(size_t place);

  std::vector<input> inputs_;
  std::vector<waiting> heap_;  // the next one of each input that is not at its end
  bool started_ = false;
  size_t source_ = 0;
};

}  // namespace zenith::layers
