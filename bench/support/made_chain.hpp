// made_chain: a chain of branches with writes on each level, and one branch with the same writes.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "storage/repository/repository.hpp"
#include "storage/repository/timeline_store.hpp"
#include "tests/support/process.hpp"

namespace zenith::bench {

/// The root is a real server's cluster with a table of text. Each level is a branch of the one
/// before; its WAL is what a server writes that starts there and changes some of the table's pages
/// (a full page at the first touch, then changes of it, and a commit), appended to its timeline as
/// a receiver does it, then written as layers and merged where that is due, as a node does it. One
/// branch of the root gets what all levels get, one after the other. Errors are exceptions.
class made_chain {
 public:
  /// `blocks`: of the table, about.
  made_chain(const testing::temporary_directory& directory, unsigned blocks);

  struct made {
    double branch_ms;  ///< the point found and durable, the branch's files and name written
    double open_ms;    ///< its timeline opened for its first write
  };
  made add_level();

  struct level {
    timeline_id id;
    lsn end;
    std::vector<page> pages;  ///< of the table, as of the end; kept of levels 1 and the last
  };
  const level& operator[](size_t number) const { return levels_[number]; }
  /// The one branch; what its pages are is what those of the last level are.
  const level& flat() const { return flat_level_; }
  const relation_id& table() const { return table_; }

  /// A level's timeline as a node opens it that was just started.
  std::unique_ptr<repository::timeline_store> open(
      const level& which, std::shared_ptr<layers::page_cache> cache,
      std::shared_ptr<layers::layer_files> registry) const;
  /// With nothing in its block cache.
  std::shared_ptr<layers::layer_files> new_registry() const;

 private:
  repository::timeline_store::parameters parameters_of(
      const timeline_id& id, std::shared_ptr<const repository::branch_base> parent,
      std::shared_ptr<layers::layer_files> registry) const;
  /// A branch of an open timeline's end, in files.
  repository::timeline_metadata make_branch(const std::string& name,
                                            repository::timeline_store& parent);
  std::unique_ptr<repository::timeline_store> open_branch(
      const repository::timeline_metadata& branch, const repository::timeline_store& parent);
  /// What the next level changes, as WAL of one timeline from its end on; pages_ are as before it.
  void write(repository::timeline_store& timeline, const std::vector<block_number>& touched);

  std::unique_ptr<repository::repository> names_;
  wal::wal_identity identity_;
  timestamp since_;
  relation_id table_{};
  std::vector<page> pages_;
  std::vector<level> levels_;  // 0: the root
  std::unique_ptr<repository::timeline_store> last_;
  level flat_level_;
  std::unique_ptr<repository::timeline_store> flat_;
  std::shared_ptr<layers::layer_files> registry_;
  std::minstd_rand random_{1};
};

}  // namespace zenith::bench
