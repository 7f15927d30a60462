// ingestor: puts WAL records into a timeline's memory layer, one after the other.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "storage/layers/image_check.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/layers/view.hpp"
#include "storage/postgres/record.hpp"
#include "storage/redo/redo.hpp"
#include "storage/wal/decoder.hpp"

namespace zenith::layers {

/// The one writer of a memory layer. Not thread-safe; what it publishes is.
///
/// A record whose changes are not understood never stops it: the failure is counted and told, and
/// each page that the record refers to gets the record as a change, which redo then refuses, so
/// that these pages cannot be read from there until their next full image, and all others can. What
/// else the record may have changed is unknown from there on: views refuse it.
///
/// A damaged or missing older layer does not count as that where only a fork's size or the
/// existence of an SLRU page was asked of it. The record becomes a change of the size, of which a
/// view makes one once the older layer can be read; an SLRU page is taken to be there. The counters
/// and the control data, and what copies of databases, truncated SLRUs and replication origins ask
/// for, are unknown for good.
class ingestor final : private redo::change_sink {
 public:
  /// Told of each record that could not be ingested. Called by ingest().
  using failure_callback = std::function<void(const wal::raw_record& record, const error& cause)>;

  /// `below`: what the timeline had before the layer's start, newest first.
  ingestor(std::shared_ptr<memory_layer> layer, std::vector<layer_reference> below,
           failure_callback on_failure);

  /// Records go to this layer from now on, which begins where the one before it ended; also the
  /// same layer again, where what lies below it is in other layers now. No other layer than these
  /// is held.
  void continue_in(std::shared_ptr<memory_layer> layer, std::vector<layer_reference> below);

  /// Puts and publishes one record. Records come in order; each starts at or after the end of the
  /// one before it. Errors: invalid_argument where one does not (nothing is put then), corrupt
  /// where the bytes are no record, io where what was there before could not be read: the record
  /// is not published then, and this ingestor and its layer are of no further use.
  result<void> ingest(const wal::raw_record& raw);

  uint64_t records() const { return records_; }
  uint64_t failures() const { return failures_; }

  /// From the next record on, compares what redo makes of pages with the images for checking that
  /// records carry. What is put and published stays the same.
  void check_images(image_checker::problem_callback on_problem);
  /// All zero where nothing is checked.
  image_counts images() const { return checker_ ? checker_->counts() : image_counts{}; }

 private:
  void put_record(const key& k, redo::record_effect effect) override;
  void put_value(const key& k, bytes value) override;
  void put_absent(const key& k) override;
  void put_copy(const key& k, const key& from) override;
  void put_relation(const relation_id& relation, fork_number fork,
                    std::optional<relation_state> state) override;
  void put_transaction_end(int64_t time_us) override;
  /// What these give holds what this record put already.
  result<std::optional<bytes>> current(const key& k) override;
  result<std::optional<relation_state>> current_relation(const relation_id& relation,
                                                         fork_number fork) override;
  const std::optional<bytes>* at_hand(const key& k) override;
  const std::optional<relation_state>* relation_at_hand(const relation_id& relation,
                                                        fork_number fork) override;
  result<std::vector<key>> current_keys(const key& first, const key& last) override;
  result<bool> exists(const key& k) override;
  result<bool> extend_unread(const relation_id& relation, fork_number fork, block_number blocks,
                             const error& why) override;

  /// After each put of something else than a relation's state.
  void remember_existence(const key& k, bool exists);
  void forget_relation(const key& k);
  void poison_blocks();
  void report(const wal::raw_record& raw, const error& cause);

  std::shared_ptr<memory_layer> layer_;
  failure_callback on_failure_;
  std::unique_ptr<image_checker> checker_;
  view newest_;  // everything, published or not
  view known_;   // the same, but for what a record that was not understood left unknown
  std::vector<layer_reference> below_;
  std::optional<int64_t> newest_time_us_;  // of all transactions that ended, once one has here
  uint64_t records_ = 0;
  uint64_t failures_ = 0;

  // The record at hand.
  pg::record record_;
  byte_view record_bytes_;
  const memory_layer::stored_record* stored_ = nullptr;  // once some key refers to it

  // The state after the newest record of what records ask for again and again.
  struct known_value {
    bool known = false;
    std::optional<bytes> value;
  };
  known_value* hot(const key& k);
  std::array<known_value, 4> values_;  // of control and the counters
  std::unordered_map<key, std::optional<relation_state>> relations_;
  // Some of them, each at a place that its numbers give: records name few relations.
  struct recent_relation {
    relation_id relation;
    fork_number fork{};
    const std::optional<relation_state>* state = nullptr;  // in relations_
  };
  static constexpr size_t recent_relations = 64;
  recent_relation& recent(const relation_id& relation, fork_number fork) {
    return recent_[(relation.relfilenode * 4 + static_cast<size_t>(fork)) % recent_relations];
  }
  std::array<recent_relation, recent_relations> recent_;
  std::unordered_map<key, bool> slru_pages_;  // whether they exist
  // Forks whose size older layers do not tell.
  struct unread_fork {
    error why;
    block_number blocks = 0;  // at least so many since
  };
  std::unordered_map<key, unread_fork> unread_forks_;
};

}  // namespace zenith::layers
