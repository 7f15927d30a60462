// unreadable: the parts of layer files that merges found they cannot read, and so leave alone.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/result.hpp"
#include "storage/layers/layer_file.hpp"

namespace zenith::layers {

class layer_files;
class layer_map;

/// Keys from first to last, both included.
struct key_range {
  key first;
  key last;

  bool operator==(const key_range&) const = default;
};

/// What of a file could not be read, and why: the first message that said so.
struct unreadable_part {
  layer_name file;
  key_range keys;
  error why;
};

/// Whether the error says that a file is not what it has to be, or not there: trying again gives
/// the same. What the operating system refuses (io) may go well the next time.
bool is_damage(const error& why);

/// The parts of a slice between two keys that cannot be read, by rising key; reads all of it. A
/// part begins with the last key before the damage and ends where reading goes on without an error,
/// or with the range where that is nowhere near. Errors: io; unavailable where `stop` gives true.
result<std::vector<unreadable_part>> find_unreadable(layer_files& files, const layer_slice& slice,
                                                     const key_range& keys,
                                                     const std::function<bool()>& stop);

/// What is known to be unreadable, no more than a bound for each file: past it, all that lies
/// between a file's parts counts as well.
class unreadable_parts {
 public:
  static constexpr size_t parts_per_file_max = 64;

  void add(unreadable_part part);
  /// Forgets files that a map does not name.
  void keep_named(const layer_map& map);

  bool empty() const { return files_.empty(); }
  /// Whether some of a slice cannot be read.
  bool touches(const layer_slice& slice) const;
  /// Adds the parts of a slice, cut to its keys, by rising key.
  void add_of(const layer_slice& slice, std::vector<key_range>& to) const;
  /// For a person: the first file's trouble, and how many others there are. Empty where all is
  /// well.
  std::string problem() const;

 private:
  struct parts {
    std::string why;              // of the first one found
    std::vector<key_range> keys;  // by rising key; they do not overlap
  };
  std::map<layer_name, parts> files_;
};

/// The first keys from `from` to `to` that are outside all of the ranges, up to the next of these;
/// none where all lie in some.
std::optional<key_range> first_free(const std::vector<key_range>& ranges, const key& from,
                                    const key& to);

}  // namespace zenith::layers
