// stored_version: an entry's value of a delta layer, taken apart.
#pragma once

#include "storage/layers/layer.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// As version_entry without key and LSN; refers to what it was decoded from.
struct stored_version {
  version_kind kind{};
  byte_view data;
  lsn record_start;
  key source;
  lsn source_at;
};

/// `at`: the version's LSN. Error: corrupt (without the file's name).
result<void> decode_version(lsn at, byte_view value, stored_version& into);

/// Adds an older version to a history. Error: limit (of key_history::add).
result<void> add_to_history(lsn at, const stored_version& version, key_history& history);

}  // namespace zenith::layers
