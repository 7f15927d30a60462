// layer_store: the layers of one timeline: open, frozen, in files; sole writer of its manifest.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "storage/layers/layer_writes.hpp"
#include "storage/layers/manifest.hpp"
#include "storage/layers/memory_layer.hpp"

namespace zenith::layers {

/// A place in the WAL at which the history can be taken up again: the end of a whole record.
struct wal_place {
  lsn at;
  lsn last_record;  ///< where that record begins
  bool ends_with_shutdown_checkpoint = false;

  bool operator==(const wal_place&) const = default;
};

/// What lies below a timeline's own versions. Immutable; any thread may hold it.
struct inherited_layers {
  layer_map map;                        ///< capped where the child left
  std::vector<layer_reference> memory;  ///< what of it is not in files yet, newest first
};

/// Owned by one thread; its jobs run on others. Knows nothing of WAL but LSNs: who feeds open()
/// has to feed what lies after disk_consistent() again when the store was opened anew.
///
/// Invariant: the files of map() hold every version at or before disk_consistent().at; the frozen
/// layers, oldest first, and then the open one hold those after it, each from where the one before
/// it ends.
class layer_store {
 public:
  struct parameters {
    file_system* files = nullptr;
    path directory;  ///< timelines/ID
    timeline_id id;
    wal_place start;    ///< where the timeline's own history begins
    lsn readable_from;  ///< the oldest LSN that can be read, where nothing is recorded yet
    /// For a child, where it has no manifest; a root has its base image instead.
    std::optional<inherited_layers> inherited;
    std::shared_ptr<layer_files> registry;
    page_checksums checksums = page_checksums::off;
    layer_limits limits;
  };

  /// Reads the manifest where there is one, and removes what jobs left that did not end. Errors:
  /// io, corrupt (names the file); invalid_argument for a child with neither a manifest nor
  /// anything inherited.
  static result<std::unique_ptr<layer_store>> open(parameters how);

  /// All up to here is in files, durably.
  const wal_place& disk_consistent() const { return consistent_; }
  const layer_map& map() const { return recorded_.map; }
  /// Whether layers of its own were ever written; before that it has no files, and no folders.
  bool has_manifest() const { return has_manifest_; }
  /// The layer to write to.
  const std::shared_ptr<memory_layer>& open_layer() const { return open_; }
  /// Everything, newest first; the open layer with all that it publishes up to `until`.
  std::vector<layer_reference> layers(lsn until) const;
  /// What lies below the open layer, newest first: constant until the next freeze or install.
  std::vector<layer_reference> below_open() const;
  /// What a child that leaves at the LSN inherits.
  inherited_layers inherited_at(lsn at) const;
  /// Where what this one inherited is in files now that was not: the same states in other layers,
  /// from an LSN on that may be later than before.
  void inherit(const inherited_layers& again, lsn readable_from);
  /// Whether something that it inherited is in memory only, so that nothing can be written yet.
  bool waits_for_parent() const;

  size_t open_bytes() const;
  size_t frozen_bytes() const;
  /// Whether the open layer has reached its size.
  bool is_full() const;
  /// Whether who sends WAL has to wait: so much is unwritten, or unmerged and could be merged.
  bool is_behind() const;
  /// What merges leave alone because it could not be read. Known since the store was opened only:
  /// a file that was mended gets its chance when it is opened again.
  const unreadable_parts& unreadable() const { return unreadable_; }

  /// The open layer takes no more versions, a new one begins where it ends. Everything up to there
  /// is durable in the WAL already. Nothing to do where it holds nothing. Gives whether it did.
  /// Views that were made before stay right.
  bool freeze(const wal_place& end);

  /// Work for another thread. At most one write and one merge are out at a time; each given job
  /// ends with install(), whatever comes of it, or with abandon(), once nobody runs it any more.
  struct write_job {
    std::shared_ptr<const memory_layer> frozen;
    layer_output out;
    layer_limits limits;
    result<written_layers> run() const { return write_frozen_layer(*frozen, out, limits); }
  };
  struct merge_job {
    compaction_plan plan;
    layer_map map;
    retention keep;
    layer_output out;
    layer_limits limits;
    result<written_layers> run(const std::function<bool()>& stop) const {
      return run_compaction(plan, map, keep, out, limits, stop);
    }
  };
  std::optional<write_job> next_write();
  /// `collect`: also a merge that only frees space. More is kept than `keep` asks for where that is
  /// needed: from readable_from on, what is not in files yet, and what copies refer to. Error: io,
  /// of reading indexes.
  result<std::optional<merge_job>> next_merge(const retention& keep, bool collect);
  /// Makes what was written count, durably. Where a merge has found what cannot be read, later ones
  /// leave that out, and nothing else changes. Errors: io, conflict (nothing counts then; after io
  /// the files may be named by the manifest on the disk, and stay until the next one is written).
  result<void> install(const write_job& job, const written_layers& written);
  result<void> install(const merge_job& job, const written_layers& written);
  void abandon(const write_job& job);
  void abandon(const merge_job& job);

  /// Files of this timeline with this number or a later one may come to count, or count on the disk
  /// already: they are no garbage, though map() does not name them.
  uint64_t unsettled_from() const;

  /// The manifest as it is on the disk; before there is one, what it would begin with.
  const manifest& recorded() const { return recorded_; }
  /// The oldest LSN that can be read rises, durably, before any merge that uses it. It never falls;
  /// nothing to do where nothing is merged because there is no manifest yet.
  result<void> set_readable_from(lsn from);

 private:
  explicit layer_store(parameters how);
  struct frozen_layer {
    std::shared_ptr<memory_layer> data;
    wal_place end;
  };
  /// A job's files have numbers from this one on.
  using first_number = std::optional<uint64_t>;

  result<void> load();
  result<void> begin_without_manifest();
  result<layer_slice> base_image() const;
  result<void> remove_leftovers();
  result<void> record(manifest changed);
  result<void> record_job(manifest changed, uint64_t first);
  retention kept_by_all(const retention& keep) const;
  layer_output output() const;
  void refresh_map_layers() { map_layers_ = recorded_.map.layers(*how_.registry); }

  parameters how_;
  manifest recorded_;
  bool has_manifest_ = false;
  std::vector<layer_reference> map_layers_;  // of recorded_.map
  std::vector<layer_reference> inherited_memory_;
  std::deque<frozen_layer> frozen_;  // oldest first
  std::shared_ptr<memory_layer> open_;
  wal_place consistent_;
  unreadable_parts unreadable_;
  std::shared_ptr<std::atomic<uint64_t>> next_number_;
  first_number writing_;
  first_number merging_;
  first_number unsure_;  // what a manifest names that may or may not be on the disk
};

}  // namespace zenith::layers
