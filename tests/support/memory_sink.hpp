// memory_sink: a change_sink that keeps the newest version of everything in memory, as a reference.
//
// Pages are redone as soon as they are put, so that it holds what a standby would have right after
// the newest record. It has no history and no bounds: for tests only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "storage/redo/redo.hpp"

namespace zenith::testing {

class memory_sink final : public redo::change_sink {
 public:
  struct statistics {
    uint64_t records = 0;           ///< ingested
    uint64_t put_records = 0;       ///< put_record calls
    uint64_t put_values = 0;        ///< put_value calls
    uint64_t put_relations = 0;     ///< put_relation calls
    uint64_t transaction_ends = 0;  ///< put_transaction_end calls
    int64_t last_transaction_end_us = 0;
  };

  /// A cluster with no relations: counters 3, 16384 and 1/0, and control data that say nothing.
  memory_sink();

  /// Ingests one record. An error of a page's redo is not this one's: it is page_errors()'.
  result<void> replay(const pg::record& record);

  // The state to start from: a value or an SLRU page, a fork, a block of it.
  void set_value(const key& k, bytes value) { values_[k] = std::move(value); }
  void set_relation(const relation_id& relation, fork_number fork, block_number blocks);
  void set_block(const key& k, const page& content);

  // The state now.
  const std::map<key, bytes>& values() const { return values_; }
  const std::map<key, relation_state>& relations() const { return relations_; }  ///< by size's key
  std::optional<bytes> value(const key& k) const;
  /// The u32 or u64 that a value holds; 0 where it does not exist.
  uint64_t number(const key& k) const;
  std::optional<block_number> blocks(const relation_id& relation, fork_number fork) const;
  /// A block inside its fork: zeros where it was never written. Error: that of its redo, or
  /// not_found.
  result<page> read_block(const relation_id& relation, fork_number fork, block_number block) const;

  /// What the newest record put; a fork by its size's key.
  const std::vector<key>& changed() const { return changed_; }

  const std::map<key, error>& page_errors() const { return page_errors_; }
  const statistics& counts() const { return counts_; }

  void put_record(const key& k, redo::record_effect effect) override;
  void put_value(const key& k, bytes value) override;
  void put_absent(const key& k) override;
  void put_copy(const key& k, const key& from) override;
  void put_relation(const relation_id& relation, fork_number fork,
                    std::optional<relation_state> state) override;
  void put_transaction_end(int64_t time_us) override;
  result<std::optional<bytes>> current(const key& k) override;
  result<std::optional<relation_state>> current_relation(const relation_id& relation,
                                                         fork_number fork) override;
  result<std::vector<key>> current_keys(const key& first, const key& last) override;
  result<bool> exists(const key& k) override;

 private:
  struct block_version {
    lsn written;
    page content;
  };

  /// The block's content now, where a version of it counts.
  const block_version* visible_block(const key& k) const;

  /// The blocks by which this record makes a fork longer, where it makes all of them.
  void make_added_blocks(const key& all, block_number old_size, block_number new_size);

  const pg::record* record_ = nullptr;  // the one that is being ingested
  std::optional<key> added_;            // what it makes: all blocks that it adds to this fork
  std::map<key, bytes> values_;
  std::map<key, relation_state> relations_;
  std::map<key, block_version> blocks_;
  std::map<key, error> page_errors_;
  std::vector<key> changed_;
  statistics counts_;
};

}  // namespace zenith::testing
