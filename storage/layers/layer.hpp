// layer: something that holds versions of keys; what the layer map, views and branches share.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key_pattern.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::layers {

/// A WAL record in memory; its bytes live as long as the layer that gave it.
struct record_in_layer {
  lsn start;
  lsn end;
  byte_view bytes;
};

/// What layers know of one key, gathered from the newest version to the oldest until `state` says
/// that nothing older is needed.
struct key_history {
  enum class state_kind {
    open,    ///< an older version is still needed (at the end of all layers: it never existed)
    zero,    ///< records start from a page of zeros (the oldest one initialises it)
    value,   ///< records start from `value`
    absent,  ///< it did not exist before the records
    copy,    ///< records start from what `source` was at `source_lsn`
  };
  state_kind state = state_kind::open;
  std::vector<record_in_layer> records;  ///< newest first
  bytes value;
  key source;
  lsn source_lsn;

  /// Makes it fit for another key; memory is kept for it.
  void clear() {
    state = state_kind::open;
    records.clear();
    value.clear();
    source = {};
    source_lsn = {};
  }
  /// Whether any version was found.
  bool found() const { return state != state_kind::open || !records.empty(); }
};

/// From `at` on, what the keys are is not known: a record that may have changed them was not
/// understood. Never changes, and lives as long as the layer that gave it.
struct unknown_state {
  key_pattern keys;
  lsn at;
  error why;                            ///< names the record
  const unknown_state* next = nullptr;  ///< an older one of the layer
};

/// Holds versions. A layer that still grows is safe to read meanwhile: a reader names the LSN up
/// to which versions count, and versions up to an LSN that was published never change.
class layer {
 public:
  virtual ~layer() = default;

  /// Adds versions of k with after < LSN <= until to the history, newest first; stops at one that
  /// needs nothing older and sets its state. Errors: corrupt, io (both name file and place).
  virtual result<void> collect(const key& k, lsn after, lsn until, key_history& history) const = 0;

  /// Calls back, in order, for keys from first to last (both included, no relation blocks) that
  /// have a version at or before `until`; whether it still exists is the caller's question.
  virtual result<void> list(const key& first, const key& last, lsn until,
                            const std::function<void(const key&)>& each) const = 0;

  /// The newest of what is not known, nullptr where all is.
  virtual const unknown_state* unknown() const { return nullptr; }

  /// Tells layers of this process apart, for ever (an address would be used again).
  uint64_t identity() const { return identity_; }

 private:
  static uint64_t next_identity() {
    static std::atomic<uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  const uint64_t identity_ = next_identity();
};

/// A layer as seen by one timeline: of it, versions up to `until` count.
struct layer_reference {
  std::shared_ptr<const layer> data;
  lsn until;
};

}  // namespace zenith::layers
