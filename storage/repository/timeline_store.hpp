// timeline_store: one open timeline: its WAL on disk, its versions in memory, what it answers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "storage/base/lsn.hpp"
#include "storage/base/timestamp.hpp"
#include "storage/io/file_system.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/layers/layer_store.hpp"
#include "storage/layers/page_cache.hpp"
#include "storage/layers/view.hpp"
#include "storage/repository/metadata.hpp"
#include "storage/repository/retention_rule.hpp"
#include "storage/repository/start_plan.hpp"
#include "storage/repository/wal_rule.hpp"
#include "storage/wal/decoder.hpp"
#include "storage/wal/segments.hpp"

namespace zenith::repository {

/// What a child shares with its parent: everything up to the LSN where it leaves. Immutable; keeps
/// the parent's layers, not its actor.
struct branch_base {
  layers::inherited_layers layers;             ///< not needed by a child with a manifest
  lsn from;                                    ///< the oldest LSN that can be read
  layers::history_list histories;              ///< what that is found under in the cache
  std::shared_ptr<const wal::wal_source> wal;  ///< up to the LSN at least
  timestamp since;                             ///< nothing is known of what was before
};

/// How a point is to be found on a timeline.
enum class point_kind : uint8_t {
  end,       ///< the end of the last whole record
  position,  ///< an LSN; inside a record: that record's end
  time,      ///< before the first commit or abort later than a time
};
struct point_query {
  point_kind kind = point_kind::end;
  lsn position;    ///< for `end`: what has to have arrived; for `position`: the LSN
  timestamp time;  ///< for `time`
};

/// A place where a branch or a server can start: the end of a whole record.
struct point_found {
  lsn at;
  lsn previous;        ///< where the record that ends here begins
  bool moved = false;  ///< the LSN asked for lay inside that record
};

/// The base image of a root timeline, in its layers folder.
inline constexpr const char* base_image_name = "base.image";

/// An LSN inside a WAL page's header means the end of the page before it, where a record ended.
lsn without_page_header(lsn at, uint32_t segment_size_bytes);

/// Owned by one thread; the views, bases and plans that it gives are for any thread.
/// Invariant: end() is the end of a whole record, all up to it is in the layers, and what is not in
/// layer files yet is in the WAL files.
class timeline_store {
 public:
  struct parameters {
    file_system* files = nullptr;
    path directory;  ///< timelines/ID
    timeline_metadata metadata;
    std::shared_ptr<const branch_base> parent;  ///< for a timeline with an ancestor
    std::shared_ptr<layers::page_cache> cache;  ///< may be null
    /// Of the repository; null: one of its own, for the folder that `directory` lies in.
    std::shared_ptr<layers::layer_files> registry;
    layers::layer_limits limits;
    layers::retention keep;  ///< as for retain()
    /// Asked while its own WAL is read again, with the bytes of layers that are not in files:
    /// whether memory is short, so that they are written before more is read. May be null.
    std::function<bool(uint64_t)> has_to_write;
    /// What names need of this timeline, as for retain(); null: not known.
    std::shared_ptr<const needed_states> needed;
    /// Told of each record that could not be taken in whole; may be null.
    layers::ingestor::failure_callback on_failure;
    /// Told of each page that is not as its image for checking has it; null: images are not looked
    /// at. WAL that is read again when the timeline is opened is checked again.
    layers::image_checker::problem_callback on_image_problem;
  };

  /// Opens its layers, or begins with its base image or its parent's layers, then reads its own WAL
  /// from where these end up to the last whole record. Errors name the file that is damaged.
  static result<std::unique_ptr<timeline_store>> open(parameters how);
  ~timeline_store();

  const timeline_metadata& metadata() const { return metadata_; }
  lsn end() const { return end_; }
  /// The end of the bytes that were appended, whole records or not.
  lsn received() const;
  /// Everything up to here is on the disk for good; never past end().
  lsn durable() const;
  /// The end of the bytes that are on the disk, whole records or not.
  lsn synced() const;
  /// What came of checking since the timeline was opened, the WAL that it had then included.
  layers::image_counts images() const { return ingestor_->images(); }

  /// A source begins to send WAL from end() on; what was held of a record that is not whole is
  /// dropped. Gives end(). Error: io; after one, until the timeline is opened again.
  result<lsn> begin_stream();
  /// WAL from begin_stream()'s LSN on, piece after piece. Errors: invalid_argument (it jumps, or
  /// repeats what came before), conflict (it repeats with other bytes), corrupt (not WAL of this
  /// timeline), io; all say what was expected and what came. Whole records before the error are
  /// kept, what came after them is not, and a source has to begin again with begin_stream().
  result<void> append(lsn at, byte_view data);
  /// Makes everything up to end() durable, and gives it. Error: io; after one, until the timeline
  /// is opened again.
  result<lsn> sync();
  /// After begin_stream(), again and again: appends what a stopped server's pg_wal folder holds
  /// past received(), one segment at most; false where that was all. begin_stream() drops what of
  /// it is not whole. Errors: as append, but for corrupt, which is the end.
  result<bool> drain(const path& pg_wal);

  /// Everything from oldest() up to end().
  layers::view_ptr view() const;
  /// A view that covers an LSN at or before end(): that of everything, or, of a single state that
  /// is kept from before oldest(), one of that alone. Error: out_of_range, with the earliest that
  /// works.
  result<layers::view_ptr> view_at(lsn at) const;
  /// The oldest LSN that can be read, but for single states that are kept before it.
  lsn oldest() const { return oldest_; }

  /// Where layers are written and merged; layers_changed() has to follow each install.
  layers::layer_store& layers() { return *layers_; }
  const layers::layer_store& layers() const { return *layers_; }
  void layers_changed();
  /// Makes all WAL durable and ends the open layer there; what comes is put into a new one. Gives
  /// whether there was something to freeze. Error: io.
  result<bool> freeze();
  /// For a child without a manifest: what it inherited, now that more of it is in files.
  void inherit(const branch_base& again);
  /// Which states are to be kept from now on (retention_of). What can be read rises to the horizon,
  /// durably, but never past what is in files. Error: io.
  /// `needed`: from where that comes, which also remembers places at which servers can start;
  /// null: as before.
  result<void> retain(layers::retention keep, std::shared_ptr<const needed_states> needed = {});
  /// What merges keep.
  const layers::retention& kept() const { return keep_; }
  /// horizon_in() for this history.
  result<lsn> horizon(const retention_window& window, timestamp now) const;

  struct wal_trim {
    uint64_t files = 0;  ///< segments that go
    uint64_t bytes = 0;
    uint64_t bytes_kept = 0;
    std::string why;  ///< what keeps the rest
  };
  /// Removes what of its own WAL may go by a window for WAL (wal_rule.hpp): nothing where it is not
  /// known what names need. Errors: of reading layers and WAL, io.
  result<wal_trim> trim_wal(const retention_window& window, timestamp now);

  /// Finds a point at or before end(). Where the WAL of a position is gone, the next place that is
  /// remembered, if no transaction has ended between: a name's point, or a transaction's end.
  /// Errors: out_of_range (before what is kept, with the earliest that works; no such place; a time
  /// in the future), not_arrived (a position past end()).
  result<point_found> find(const point_query& query, timestamp now) const;
  /// When the newest transaction that ended at or before an LSN did. Errors: of reading layers.
  result<std::optional<timestamp>> newest_commit(lsn at) const;
  /// What a child that starts at the LSN shares: as long as it is there, that state is kept. Error:
  /// out_of_range.
  result<std::shared_ptr<const branch_base>> base_at(lsn at) const;
  /// How a server would start at the LSN, the end of a whole record; a writable one only at end().
  result<std::shared_ptr<const start_plan>> plan(lsn at, start_purpose purpose) const;
  /// The plan's pg_timeline was recorded in timeline.json: what is appended from end() on is its.
  result<void> switch_pg_timeline(const timeline_metadata& updated);

 private:
  explicit timeline_store(parameters& how);
  result<void> open_layers(parameters& how);
  result<void> open_wal();
  result<void> read_wal(const std::function<bool(uint64_t)>& has_to_write);
  result<void> write_open_layer();
  result<void> ingest_whole_records();
  /// The WAL files end where the whole records do. Error: io.
  result<void> end_wal_here();
  result<void> append_in_segments(lsn at, byte_view data);
  result<void> check_not_promoted(const path& pg_wal) const;
  result<void> check_follows(lsn at, byte_view data) const;
  wal::decoder decoder_from(lsn start, lsn previous) const;
  result<point_found> find_position(lsn asked) const;
  std::optional<point_found> remembered(lsn at) const;
  std::optional<point_found> next_remembered(lsn at) const;
  result<point_found> find_without_wal(lsn at, const error& why) const;
  result<point_found> find_time(timestamp time, timestamp now) const;
  result<void> check_kept(lsn at) const;
  result<wal_keep> wal_kept_by(const retention_window& window, timestamp now) const;
  std::vector<pg_timeline_start> history_until(lsn at) const;
  wal::wal_identity identity() const;
  layers::page_checksums checksums() const;

  file_system* files_;
  path directory_;
  timeline_metadata metadata_;
  bool is_root_;
  std::shared_ptr<const wal::wal_source> parent_wal_;  // null where it is a root
  std::shared_ptr<layers::page_cache> cache_;
  layers::history_list histories_;
  layers::ingestor::failure_callback on_failure_;
  layers::image_checker::problem_callback on_image_problem_;

  lsn oldest_;
  timestamp since_;
  layers::retention keep_;
  std::shared_ptr<const needed_states> needed_;
  std::unique_ptr<layers::layer_store> layers_;
  std::unique_ptr<layers::ingestor> ingestor_;
  std::shared_ptr<wal::wal_directory> wal_;
  std::shared_ptr<const wal::wal_source> all_wal_;  // with the ancestors' before it
  std::unique_ptr<wal::decoder> decoder_;
  lsn end_;          // of the last whole record that was ingested
  lsn last_record_;  // where it begins
  bool last_is_shutdown_checkpoint_ = false;
  /// The disk failed: the WAL files may lack what layers have. Only opening tells what is left.
  std::optional<error> lost_;
  mutable layers::view_ptr newest_view_;  // as long as it reaches end()
};

}  // namespace zenith::repository
