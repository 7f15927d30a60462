// memory_file_system: files in memory, whose unsynced part is lost when a test cuts the power.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/io/file_system.hpp"

namespace zenith::testing {

/// As strict as POSIX allows: a file's bytes are durable by sync() on it, its name by
/// sync_directory() on the directory, neither by the other. Paths are taken from one root,
/// relative ones as well. Thread-safe.
class memory_file_system final : public file_system {
 public:
  enum class fault {
    io_error,  ///< the operation fails, and does nothing
    no_space,  ///< a write puts its first half there and fails; others as io_error
    power,     ///< this operation and all later ones fail, until power_cut() is called
    lost,      ///< as io_error; what a sync did not write counts as written, as on Linux
  };

  memory_file_system();
  ~memory_file_system() override;

  /// The power fails and comes back: what was not synced is gone, every open file is dead.
  void power_cut();
  /// The same, but of what was not synced some survives: each touched 512-byte sector, and each
  /// change of a directory, by chance.
  void power_cut_keeping_some(uint64_t seed);

  /// How many operations that change or sync something there were so far.
  uint64_t operations() const;
  /// Lets the operation with this number fail (operations() is the next one's), and so many in all
  /// from there on; a power cut before it calls it off.
  void fail_at(uint64_t operation, fault how, unsigned count = 1);

  result<std::unique_ptr<file>> open(const path& name, open_mode mode) override;
  result<bool> exists(const path& name) override;
  result<void> create_directories(const path& name) override;
  result<std::vector<directory_entry>> list(const path& directory) override;
  result<void> rename(const path& from, const path& to) override;
  result<void> remove(const path& name) override;
  result<void> remove_all(const path& directory) override;
  result<void> sync_directory(const path& directory) override;

 private:
  struct node;
  class handle;
  using entries = std::map<std::string, std::shared_ptr<node>>;

  std::shared_ptr<node> find(const path& name) const;
  std::shared_ptr<node> find_directory_of(const path& name) const;
  result<void> count(std::string_view what, const path& name);
  void cut(std::optional<uint64_t> seed);

  mutable std::mutex mutex_;
  std::shared_ptr<node> root_;
  uint64_t generation_ = 0;  // open files of an earlier one are dead
  uint64_t operations_ = 0;
  std::optional<uint64_t> fault_at_;
  unsigned faults_left_ = 0;
  fault fault_ = fault::io_error;
  bool power_lost_ = false;
  bool failed_for_space_ = false;  // count() failed so just now
};

}  // namespace zenith::testing
