// layer_file: the name of a layer file, and what a manifest says of it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/ids.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::layers {

enum class layer_kind : uint8_t { delta, image };

/// Names a layer file of a repository for ever: no two files ever have the same name, and a file
/// never changes. It lies in the folder of the timeline that wrote it, whoever reads it.
struct layer_name {
  timeline_id timeline;
  uint64_t number = 0;  ///< rises with each file that the timeline writes; 0: a root's base image
  layer_kind kind{};

  auto operator<=>(const layer_name&) const = default;
};
/// The file's name in the timeline's folder `layers`: "base.image" for number 0, else the number
/// as 8 or more hex digits with its kind, such as "0000002a.delta".
std::string file_name_of(const layer_name& name);
/// Of a file in a timeline's folder; none where no layer has such a name.
std::optional<layer_name> parse_file_name(const timeline_id& timeline, std::string_view file_name);

/// What is known of a file without opening it. Never changes.
struct layer_file_info {
  layer_name name;
  key first_key;  ///< all its keys lie from here
  key last_key;   ///< to here, both included
  lsn after;      ///< all its versions lie after this LSN ...
  lsn last;       ///< ... and at or before this one; of an image: both are the LSN of its values
  uint64_t size_bytes = 0;
  uint64_t entries = 0;  ///< versions
  uint64_t keys = 0;     ///< different keys among them
  /// LSNs as of which copies in it read their sources, ascending: what was then is needed as long
  /// as the file.
  std::vector<lsn> copied_at;
  /// Of a merge's output: versions that no state from here on needs were left out (0/0: nothing
  /// was), but for those that the states at so many older points need, of those in its LSN range.
  lsn collected_to;
  uint32_t collected_points = 0;

  /// Its oldest version lies here or later.
  lsn first_lsn() const { return name.kind == layer_kind::image ? last : after + 1; }
  bool operator==(const layer_file_info&) const = default;
};

/// The part of a file that counts for a timeline: keys from first to last, both included, and of
/// them versions at or before `until`.
struct layer_slice {
  layer_file_info file;
  key first;
  key last;
  lsn until;

  /// Its newest version lies here or earlier.
  lsn reaches() const { return until < file.last ? until : file.last; }
  /// Whether it may hold keys from `from` to `to`, both included.
  bool overlaps(const key& from, const key& to) const { return first <= to && from <= last; }
  bool operator==(const layer_slice&) const = default;
};

}  // namespace zenith::layers
