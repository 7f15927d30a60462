// random_history: versions of a few relations and other keys by chance, as ingest would put them.
#pragma once

#include <array>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "storage/base/relation_state.hpp"
#include "storage/layers/view.hpp"
#include "tests/support/listed_versions.hpp"

namespace zenith::testing {

/// All records can be redone but those that nobody can (`broken`).
class random_history {
 public:
  struct chances {
    unsigned broken_percent = 2;
    block_number blocks_max = 6;
    size_t relations = 3;  ///< up to 4
    unsigned drop_percent = 3;
  };
  random_history(uint32_t seed, const chances& how);

  /// One more record.
  void step();

  /// By rising LSN.
  const listed_versions& versions() const { return versions_; }
  lsn start() const { return lsn{1000}; }
  /// Where the last record ends.
  lsn end() const { return now_; }
  /// Where copies read their sources, ascending.
  const std::vector<lsn>& copied_at() const { return copied_at_; }
  /// Where records end, ascending, the start before them.
  const std::vector<lsn>& points() const { return points_; }

  /// What differs of all keys as of an LSN, in words; empty where nothing does. Errors have to be
  /// of the same kind.
  std::string difference(const layers::view& expected, const layers::view& found, lsn at) const;

 private:
  static relation_id relation(size_t i) { return {1663, 5, 16384 + static_cast<uint32_t>(i)}; }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  key random_other_key();
  void put(const key& k, layers::version_kind kind, byte_view data = {}, const key& source = {});
  void put_size(size_t i);
  void change_block(size_t i);
  void change_map(size_t i);
  void copy_fork(size_t from, size_t to);
  void change_other();

  std::mt19937 random_;
  chances how_;
  lsn record_start_;
  lsn now_{1000};
  std::array<std::optional<relation_state>, 4> states_;
  std::array<std::optional<relation_state>, 4> maps_;
  std::array<std::set<block_number>, 4> written_;  // of each relation: those that are not zeros
  listed_versions versions_;
  std::vector<lsn> copied_at_;
  std::vector<lsn> points_{lsn{1000}};
};

}  // namespace zenith::testing
