// metadata: what the repository's small files hold, and their JSON text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/base/timestamp.hpp"

namespace zenith::repository {

/// A timeline and a place on it.
struct timeline_point {
  timeline_id timeline;
  lsn at;

  bool operator==(const timeline_point&) const = default;
};

/// From which LSN on the WAL carries this pg_timeline.
struct pg_timeline_start {
  pg_timeline number{};
  lsn start;

  bool operator==(const pg_timeline_start&) const = default;
};

enum class data_checksums : uint8_t { off, on };
/// A timeline in the state `creating` has no complete base yet, and is not served.
enum class timeline_state : uint8_t { creating, active };

/// timelines/ID/timeline.json.
struct timeline_metadata {
  timeline_id id;
  /// Where it left its parent; none for a root timeline.
  std::optional<timeline_point> ancestor;
  system_identifier system{};
  uint32_t pg_version = 15;
  uint32_t segment_size_bytes = 16u << 20;
  data_checksums checksums = data_checksums::off;
  /// Its own WAL begins here: the ancestor's point, or the LSN of a root's base.
  lsn start;
  /// Where the last record before `start` begins; the first record's back-link names it.
  lsn start_previous_record;
  /// Every pg_timeline of its history, oldest first; the last is its own. Strictly ascending
  /// numbers, starts that do not go down: what a timeline history file needs (timeline.c). Its file
  /// holds those that began on itself: the repository adds its ancestors'.
  std::vector<pg_timeline_start> pg_timelines;
  timestamp created_at;
  timeline_state state = timeline_state::active;
  /// Settings of its own, by key, as text; in the file only where there are any.
  std::map<std::string, std::string> settings;

  /// The number that its next WAL carries.
  pg_timeline current_pg_timeline() const { return pg_timelines.back().number; }
  bool operator==(const timeline_metadata&) const = default;
};

/// refs/branches/NAME.
struct branch_metadata {
  timeline_id timeline;

  bool operator==(const branch_metadata&) const = default;
};

/// refs/tags/NAME.
struct tag_metadata {
  timeline_point point;
  timestamp created_at;
  /// Where the last record before the point begins, for servers that start there once the WAL is
  /// gone. 0/0 and not in the file: made before that was kept.
  lsn previous_record;

  bool operator==(const tag_metadata&) const = default;
};

enum class access_mode : uint8_t { read_write, read_only };
enum class commit_mode : uint8_t { asynchronous, synchronous };
enum class hydration_mode : uint8_t { lazy, full };

/// computes/NAME/compute.json.
struct compute_metadata {
  std::string name;
  /// The branch that it was made on; empty for a read-only one on a bare timeline or tag.
  std::string branch;
  timeline_id timeline;
  /// Its data directory starts here.
  lsn at;
  uint16_t port = 0;
  access_mode access = access_mode::read_write;
  commit_mode commit = commit_mode::asynchronous;
  hydration_mode hydration = hydration_mode::full;
  timestamp created_at;
  lsn previous_record;  ///< as a tag's

  bool operator==(const compute_metadata&) const = default;
};

/// JSON text of each, and back. Decoding takes exactly the fields that encoding writes and checks
/// what each type promises; its errors (corrupt) name the field, and the caller adds the file.
std::string encode(const timeline_metadata& metadata);
std::string encode(const branch_metadata& metadata);
std::string encode(const tag_metadata& metadata);
std::string encode(const compute_metadata& metadata);
result<timeline_metadata> decode_timeline(std::string_view json_text);
result<branch_metadata> decode_branch(std::string_view json_text);
result<tag_metadata> decode_tag(std::string_view json_text);
result<compute_metadata> decode_compute(std::string_view json_text);

/// config.json: this version's mark around the settings, which are a JSON object as config/ writes
/// them. Errors: corrupt; unsupported for a repository of another format version.
inline constexpr int repository_format_version = 1;
std::string encode_config(std::string_view settings_json);
result<std::string> decode_config(std::string_view json_text);

/// The text of the history file of a timeline's own pg_timeline, as writeTimeLineHistory
/// (timeline.c) builds it; empty for a timeline whose only pg_timeline is its first.
std::string history_file_text(const timeline_metadata& metadata);

}  // namespace zenith::repository
