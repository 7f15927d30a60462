// world: a tree of timelines in layer stores on files in memory, beside the history that it was
// told, and every comparison of the two.
#pragma once

#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/layers/file_garbage.hpp"
#include "storage/layers/layer_store.hpp"
#include "storage/layers/page_cache.hpp"
#include "tests/simulation/made_wal.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::simulation {

/// What a run found to be wrong.
struct difference {
  enum class kind { page, value, keys, times, other };
  kind of;
  std::string what;
};

/// Holds what a node would hold of its timelines besides layers: their WAL (in `told`), how far it
/// is durable, names that keep states. A difference is thrown: it ends the run.
class world {
 public:
  explicit world(uint64_t seed);
  ~world();

  /// One step by chance.
  void take_step(uint64_t number);
  /// Everything is written, nothing that is not needed is left: the end of a run.
  void finish();

  /// What the steps did, one line each.
  const std::vector<std::string>& trace() const { return trace_; }
  uint64_t reads() const { return reads_; }

 private:
  template <class Job>
  struct running {
    Job job;
    std::optional<result<layers::written_layers>> outcome;
  };
  using write_job = layers::layer_store::write_job;
  using merge_job = layers::layer_store::merge_job;

  struct line {
    timeline_id id;
    std::unique_ptr<layers::layer_store> store;  ///< null: closed
    lsn durable;                                 ///< of its WAL
    lsn from;                                    ///< states from here on are kept
    std::set<lsn> tags;                          ///< and those
    lsn acknowledged;  ///< all up to here was in files for good, by what the store said
    bool has_manifest = false;
    std::optional<running<write_job>> write;
    std::optional<running<merge_job>> merge;
  };
  /// A view that somebody holds while the world goes on.
  struct held_view {
    size_t of;
    layers::view_ptr data;
    lsn from;
    lsn until;
    std::set<lsn> tags;
  };

  // Timelines (world.cpp).
  path directory_of(size_t i) const;
  void make_root(chance& by);
  layers::wal_place place_at(size_t i, lsn at) const;
  bool depends_on_parent(size_t i) const;
  /// Opens it, and what it needs of its ancestors, and feeds it what lies after its files.
  layers::layer_store& opened(size_t i);
  void close(size_t i);
  void end_jobs(size_t i, chance& by);
  void pass_on(size_t i);
  void raise_from(size_t i, lsn from);
  layers::retention retention_of(size_t i) const;
  void power_cut(chance& by);
  std::set<layers::layer_name> named_files();
  void check_files();

  // Reading and comparing (comparisons.cpp).
  layers::view_ptr view_of(size_t i);
  std::optional<lsn> readable_lsn(size_t i, const held_view& of, chance& by) const;
  held_view look(size_t i);
  void read_one(const held_view& through, chance& by);
  void compare(const held_view& through, const key& k, lsn at);
  void list_keys(const held_view& through, chance& by);
  void find_times(size_t i, chance& by);
  void expect_refused(size_t i, chance& by);

  // Steps (steps.cpp).
  size_t any_line(uint64_t number, chance& by) const;
  void write(size_t i, chance& by);
  void make_branch(size_t p, chance& by);
  void remove_leaf(size_t i);
  void freeze(size_t i);
  void go_on_writing(size_t i, chance& by);
  void go_on_merging(size_t i, chance& by);
  void finish_write(size_t i, bool install);
  void finish_merge(size_t i, bool install);
  void change_retention(size_t i, chance& by);
  void begin_sweep();
  void end_sweep();

  template <class... Parts>
  void say(const Parts&... parts) {
    trace_.push_back(fmt::format("{}", fmt::join(std::vector<std::string>{text(parts)...}, "")));
  }
  static std::string text(std::string_view part) { return std::string(part); }
  static std::string text(uint64_t part) { return std::to_string(part); }
  [[noreturn]] void fail_with(const std::string& what,
                              difference::kind of = difference::kind::other) const;
  void expect(const result<void>& r, const std::string& what) const;

  const uint64_t seed_;
  bool checksums_ = false;
  bool unknowns_ = false;
  uint64_t branching_ = 0;  ///< how often, of a thousand steps
  layers::layer_limits limits_;
  testing::memory_file_system files_;
  std::shared_ptr<layers::layer_files> registry_;
  std::shared_ptr<layers::page_cache> cache_;
  std::unique_ptr<history> told_;
  std::vector<line> lines_;
  std::vector<held_view> held_;
  std::optional<std::map<size_t, layers::swept_timeline>> sweep_;  ///< one that is under way
  std::vector<std::string> trace_;
  uint64_t reads_ = 0;
};

}  // namespace zenith::simulation
