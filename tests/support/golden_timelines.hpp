// golden_timelines: a golden scenario as timelines of a repository, judged by the same WAL in
// memory.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "storage/repository/timeline_store.hpp"
#include "tests/support/golden_replay.hpp"

namespace zenith::testing {

/// What all timelines made from one scenario have in common: its files would be the same each time.
class golden_history_judge {
 public:
  explicit golden_history_judge(const std::string& scenario);

  const golden_scenario& scenario() const { return scenario_; }
  /// Everything, all in memory.
  const layers::view& reference() const { return reference_; }
  /// Ends of records, ascending.
  const std::vector<lsn>& ends() const { return ends_; }
  lsn end_at_or_before(lsn at) const;
  lsn random_end(std::mt19937_64& random, lsn from, lsn until) const;
  lsn previous_of(lsn end) const;  ///< where the record that ends there begins

  /// Some keys as of LSNs that the view covers; a failure names key and LSN. Gives how many.
  void expect_same(const layers::view& seen, std::mt19937_64& random, int reads) const;
  void expect_same(const layers::view& seen, const key& k, lsn at) const;
  /// What PostgreSQL has at the stops that the view covers.
  void expect_stops(const layers::view& seen) const;

 private:
  golden_scenario scenario_;
  golden_replay replay_;
  layers::view reference_;
  std::vector<lsn> ends_;
  std::vector<lsn> starts_;
  struct touched {
    key k;
    lsn at;
  };
  std::vector<touched> touched_;  // keys with an LSN at which a record changed them
};

/// Timelines in one folder. Children go on with the WAL of the scenario.
class golden_timelines {
 public:
  golden_timelines(file_system& files, const golden_history_judge& judge,
                   path directory = "timelines");

  /// Forgets all that is open: what a new process has.
  void restart();
  /// The root is number 0. `start`: the end of a record, on the parent.
  repository::timeline_metadata add_child(size_t parent, lsn start);
  repository::timeline_store::parameters parameters(size_t number) const;
  path directory_of(size_t number) const;
  const std::vector<repository::timeline_metadata>& metadata() const { return metadata_; }
  const std::shared_ptr<layers::layer_files>& registry() const { return registry_; }

  layers::layer_limits limits;

 private:
  file_system& files_;
  const golden_history_judge& judge_;
  const path directory_;
  std::shared_ptr<layers::layer_files> registry_;
  std::vector<repository::timeline_metadata> metadata_;
};

/// A few KB a layer, a few files a level.
layers::layer_limits tiny_layer_limits();

/// Runs the write and the merges that are due. Gives whether there was anything. Throws on errors.
bool write_one_layer(repository::timeline_store& store);
bool merge_one(repository::timeline_store& store, bool collect);
/// Freezes, writes and merges until there is nothing left to do.
void settle(repository::timeline_store& store, bool collect = false);

}  // namespace zenith::testing
