// hard_workload_parts: the themes that a hard workload is made of, for its own files only.
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/hard_workload.hpp"
#include "tests/support/workload_session.hpp"

namespace zenith::testing {

/// What all themes of one run share. Each choice comes from `random`, so the seed decides all.
struct workload_run {
  workload_host& host;
  workload_size size;
  std::mt19937_64 random;

  bool tiny() const { return size == workload_size::tiny; }
  /// From `least` to `most`, both included. (The standard's distributions differ by library.)
  int number(int least, int most) {
    return least + static_cast<int>(random() % static_cast<uint64_t>(most - least + 1));
  }
  /// One of these, e.g. a statement.
  const char* one_of(std::initializer_list<const char*> choices) {
    return *(choices.begin() + number(0, static_cast<int>(choices.size()) - 1));
  }
};

/// The database that most themes work in; each has a schema of its own.
inline constexpr const char* hard_database = "hard";

// One function a theme, in the order in which they run. They leave sessions closed, and but for
// the last one no prepared transaction.
void work_on_indexes(workload_run& run);       ///< all access methods, in all of their shapes
void work_on_tiny_indexes(workload_run& run);  ///< the same from as few rows as it takes
void work_on_relations(workload_run& run);     ///< sizes, rewrites, kinds of relations
void work_on_multixacts(workload_run& run);    ///< row locks of several sessions
void work_on_transactions(workload_run& run);  ///< subtransactions, origins, messages, timestamps
void work_on_databases(workload_run& run);     ///< databases and tablespaces, made, moved, dropped
void work_on_random_rows(workload_run& run);   ///< what nobody thought of, by several sessions
void work_on_restarts(workload_run& run);      ///< prepared transactions over stops and crashes

/// A part of the tiny ones, in the session's schema.
void work_on_tiny_trees(sql_session& session);

}  // namespace zenith::testing
