// faulty_run: one fixed scenario over a repository in files in memory, which may fail anywhere.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/repository/repository.hpp"
#include "storage/repository/timeline_store.hpp"
#include "tests/simulation/made_cluster.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::simulation {

/// What a node does with a root timeline and a branch of it: WAL comes, layers are written and
/// merged, states given up, garbage removed. Each step can be tried again.
class faulty_run {
 public:
  /// Makes the repository; nothing fails before first_operation().
  explicit faulty_run(const made_cluster& made);

  uint64_t first_operation() const { return first_operation_; }
  testing::memory_file_system& files() { return files_; }
  const path& directory() const { return directory_; }

  size_t steps() const { return steps_.size(); }
  /// On an error the stores may be behind what was told; memory is as it was.
  result<void> take(size_t step);
  /// Whether a step appends or syncs WAL: only opening its timeline again tells what a disk that
  /// failed there still has (actors/timeline.cpp does so).
  bool is_of_wal(size_t step) const { return steps_[step].of_wal; }
  /// As after a restart of the node.
  result<void> reopen();
  void close();
  repository::timeline_store& store(size_t line) { return *lines_[line].store; }

  /// What differs from a store in memory, as of some LSNs of all that can be read, and what was
  /// acknowledged and is not there; empty where all is right.
  std::string difference();
  /// Removes layer files that nothing needs.
  result<void> collect_garbage();
  /// What is damaged; files that nothing refers to. A metadata file that was not finished is
  /// replaced when it is written again.
  enum class parts { layers_and_wal, all };
  std::string leftovers(parts where);

 private:
  struct open_line {
    std::unique_ptr<repository::timeline_store> store;
    lsn acknowledged;
  };

  result<void> open_root();
  result<void> open_branch();
  result<void> append(size_t line, double share);
  result<void> sync(size_t line);
  result<void> write(size_t line);
  result<void> merge(size_t line);
  result<void> make_branch();
  result<void> give_up(double share);
  layers::retention keep(size_t line) const;
  std::string answered_below(const repository::timeline_store& store);

  const made_cluster& made_;
  const path directory_ = "repository";
  testing::memory_file_system files_;
  std::optional<repository::repository> names_;
  std::shared_ptr<layers::layer_files> registry_;
  std::array<open_line, 2> lines_;
  bool branch_acknowledged_ = false;
  lsn from_;  // states before it are given up
  struct step {
    bool of_wal;
    std::function<result<void>()> act;
  };
  std::vector<step> steps_;
  uint64_t first_operation_ = 0;
};

}  // namespace zenith::simulation
