// layer: something that holds versions of keys; what the layer map, views and branches share.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key_pattern.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/layers/key_history.hpp"
#include "storage/layers/transaction_end.hpp"

namespace zenith::layers {

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
  /// needs nothing older and sets its state. Errors: corrupt, io (both name file and place), limit
  /// (of key_history::add).
  virtual result<void> collect(const key& k, lsn after, lsn until, key_history& history) const = 0;

  /// Calls back, in order, for keys from first to last (both included, no relation blocks) that
  /// have a version at or before `until`; whether it still exists is the caller's question.
  virtual result<void> list(const key& first, const key& last, lsn until,
                            const std::function<void(const key&)>& each) const = 0;

  /// The first in LSN order of the transactions that ended here, at or before `until`, whose time
  /// is later than this one: what recovery_target_time stops before (recoveryStopsBefore in
  /// xlogrecovery.c). Errors: corrupt, io.
  virtual result<std::optional<transaction_end>> first_later_than(int64_t time_us,
                                                                  lsn until) const {
    static_cast<void>(time_us), static_cast<void>(until);
    return std::nullopt;
  }
  /// The first of the transactions that ended here at an LSN or later, and at or before `until`;
  /// its time may be a later one's. Errors: corrupt, io.
  virtual result<std::optional<transaction_end>> first_end_from(lsn from, lsn until) const {
    static_cast<void>(from), static_cast<void>(until);
    return std::nullopt;
  }
  /// The newest time of all that ended here at or before an LSN. Errors: corrupt, io.
  virtual result<std::optional<int64_t>> newest_time(lsn until) const {
    static_cast<void>(until);
    return std::nullopt;
  }

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

/// A layer as seen by one timeline: of it, versions with after < LSN <= until count, and the range
/// is no wider than what is known of the layer needs: a layer outside the LSNs that a read asks for
/// is not looked at.
struct layer_reference {
  std::shared_ptr<const layer> data;
  lsn until;
  lsn after = {};
};

}  // namespace zenith::layers
