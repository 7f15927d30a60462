// memory_layer: the versions of one timeline in memory, one writer and many readers at once.
//
// Why a reader sees whole versions: the writer fills a piece of the arena, then puts a version that
// points to it into the table, which publishes it by a release store that the table's readers load
// with acquire (version_table.hpp), and only after all versions up to an LSN are in place stores
// that LSN in published_ (release). A reader learns the LSN from published() (acquire), or by a
// message that was sent after such a load; so it finds each of those versions there, filled, and
// waits for nobody. Versions past its LSN may come and go meanwhile; it passes over them. Only
// versions past the published LSN are ever replaced, and arena bytes never are: what a reader was
// given stays valid for as long as somebody holds the layer.
//
// A layer that holds nothing takes no memory but its own few hundred bytes.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "storage/layers/arena.hpp"
#include "storage/layers/commit_index.hpp"
#include "storage/layers/layer.hpp"
#include "storage/layers/version_table.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::layers {

class memory_layer final : public layer {
 public:
  /// Versions lie after this LSN.
  explicit memory_layer(lsn start);

  /// Everything up to this LSN is here and never changes.
  lsn published() const { return lsn{published_.load(std::memory_order_acquire)}; }
  /// Where it starts.
  lsn start() const { return start_; }
  /// What versions, tables and the arena take. From any thread.
  size_t size_bytes() const { return size_bytes_.load(std::memory_order_relaxed); }
  /// How many versions there are. From any thread.
  size_t versions() const { return versions_.load(std::memory_order_relaxed); }
  /// Whether it says nothing of any key, so that no file has to be written of it.
  bool is_empty() const { return versions() == 0 && unknown() == nullptr; }

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override;
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override;
  result<std::optional<transaction_end>> first_later_than(int64_t time_us,
                                                          lsn until) const override {
    return ends_.first_later_than(time_us, until);
  }
  result<std::optional<transaction_end>> first_end_from(lsn from, lsn until) const override {
    return ends_.first_from(from, until);
  }
  result<std::optional<int64_t>> newest_time(lsn until) const override {
    return ends_.newest_time(until);
  }
  const unknown_state* unknown() const override { return unknown_.load(std::memory_order_acquire); }

  /// Everything that is published when it is made, for writing it to a file: under keys of kind
  /// transaction_ends also the transactions that ended. Valid as long as the layer.
  std::unique_ptr<version_cursor> cursor() const;

  // For the one writer. LSNs never fall, and lie after published().

  /// A record in the arena.
  struct stored_record;
  /// Copies a record into the arena, once for all the keys that it changes.
  const stored_record* add_record(lsn start, byte_view record_bytes);
  /// The same of a record that pg::keeps_all says all is kept of in files: its CRC and its link are
  /// zeros in the copy, so that nobody has to take it apart again to write it.
  const stored_record* add_short_record(lsn start, byte_view record_bytes);
  /// The same record put twice under one key counts once (redo applies it as a whole).
  void put_record(const key& k, lsn end, const stored_record* stored, redo::record_effect effect);
  void put_value(const key& k, lsn at, byte_view value);
  void put_absent(const key& k, lsn at);
  void put_copy(const key& k, lsn at, const key& source, lsn source_at);
  /// From `at` on it is not known what these keys are. Past a bound, keys of one kind are not told
  /// apart any more.
  void put_unknown(const key_pattern& keys, lsn at, const error& why);
  /// A transaction ended. `newest_before`: the largest time of all that ended before, here or in
  /// what lies below; no_time where there is none. `previous`: as in transaction_end.
  void put_transaction_end(int64_t time_us, lsn start, lsn end, int64_t newest_before = no_time,
                           lsn previous = {});
  /// Something will be put under this key: asks memory for its place.
  void expect(const key& k) const { table_.prefetch(std::hash<key>{}(k)); }
  /// Makes all versions up to here visible for good.
  void publish(lsn until);

 private:
  class all_versions;

  stored_record* copy_record(lsn start, byte_view record_bytes, bool is_short);

  void put(const key& k, const version& v);
  /// After everything that takes memory.
  void account();

  const lsn start_;
  version_table table_;
  arena arena_;
  commit_index ends_;
  mutable std::shared_mutex order_mutex_;
  std::map<key, lsn> order_;  // keys other than blocks, each with its first version's LSN
  std::vector<std::unique_ptr<unknown_state>> unknowns_;  // oldest first; the writer's own
  std::atomic<const unknown_state*> unknown_{nullptr};
  std::atomic<uint64_t> published_;
  std::atomic<size_t> size_bytes_{0};
  std::atomic<size_t> versions_{0};
};

}  // namespace zenith::layers
