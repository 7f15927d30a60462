// key_history: what layers know of one key, gathered from the newest version to the oldest.
#pragma once

#include <memory>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::layers {

/// A WAL record; its bytes live as long as the layer that gave it, and what the history keeps.
struct record_in_layer {
  lsn start;
  lsn end;
  byte_view bytes;
};

/// Versions of one key, until `state` says that nothing older is needed. Layers add to it by the
/// functions below, newest first; what data refers to lives as long as the layer, or is kept in
/// `keeps`.
struct key_history {
  enum class state_kind {
    open,    ///< an older version is still needed (at the end of all layers: it never existed)
    zero,    ///< records start from a page of zeros (the oldest one initialises it)
    value,   ///< records start from `value`
    absent,  ///< it did not exist before the records
    copy,    ///< records start from what `source` was at `source_lsn`
  };
  /// A history with more than this is refused, whoever wrote it: no read takes memory for it.
  static constexpr size_t records_max = size_t{1} << 24;
  static constexpr uint64_t record_bytes_max = uint64_t{1} << 30;

  state_kind state = state_kind::open;
  std::vector<record_in_layer> records;  ///< newest first
  byte_view value;
  key source;
  lsn source_lsn;
  lsn newest;                 ///< of all versions in it; 0/0: none
  uint64_t record_bytes = 0;  ///< of all records
  /// What records and the value lie in, where that is not the layer itself.
  std::vector<std::shared_ptr<const void>> keeps;

  /// Error: limit.
  result<void> add(const record_in_layer& record) {
    note(record.end);
    record_bytes += record.bytes.size();
    if (records.size() == records_max || record_bytes > record_bytes_max) return too_long();
    records.push_back(record);
    return {};
  }
  void end_with_zeros() { state = state_kind::zero; }
  void end_with_value(lsn at, byte_view found) {
    note(at);
    value = found;
    state = state_kind::value;
  }
  void end_with_absence(lsn at) {
    note(at);
    state = state_kind::absent;
  }
  void end_with_copy(lsn at, const key& of, lsn of_at) {
    note(at);
    source = of;
    source_lsn = of_at;
    state = state_kind::copy;
  }

  /// Makes it fit for another key; memory is kept for it.
  void clear() {
    state = state_kind::open;
    records.clear();
    value = {};
    source = {};
    source_lsn = {};
    newest = {};
    record_bytes = 0;
    keeps.clear();
  }
  /// Whether any version was found.
  bool found() const { return newest.is_valid(); }

 private:
  void note(lsn at) {
    if (!newest.is_valid()) newest = at;
  }
  result<void> too_long() const;
};

}  // namespace zenith::layers
