// closed_timeline: what collecting would find in a timeline that nobody has open, from its files.
#pragma once

#include <optional>
#include <vector>

#include "storage/layers/collected.hpp"
#include "storage/layers/layer_files.hpp"
#include "storage/layers/manifest.hpp"
#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {

/// A timeline as it is looked at from outside.
struct closed_timeline {
  timeline_metadata metadata;  ///< as stored: with its own pg_timelines
  timestamp since;             ///< when its root's history begins
  /// Where it ends, as far as that is known: 0/0, or something past what its manifest says.
  lsn end;
  retention_window window;
  retention_window wal_window;
  std::shared_ptr<const needed_states> needed;
};

/// What collecting would find. It counts what is in files: what lies past disk_consistent_lsn is
/// never collectable, so opening the timeline frees this much or more.
struct closed_survey {
  lsn horizon;                                   ///< of merges; 0/0: everything is kept
  std::vector<layers::collectable_file> layers;  ///< its files that merges would write again
  uint64_t layer_bytes = 0;                      ///< what they would leave out, about
  timeline_store::wal_trim wal;
  uint64_t unwritten_segments = 0;  ///< of WAL, each past what layer files hold
  /// When more can go, where nothing but time changes it; none: never. Not said while something
  /// can go at once.
  std::optional<timestamp> next;

  /// Whether something can go now, or could once its WAL is in layer files.
  bool is_worth_opening() const {
    return layer_bytes != 0 || wal.files != 0 || unwritten_segments != 0;
  }
};

/// Reads the folder of its WAL and what tells times apart in its layers; changes nothing, and may
/// be called while somebody opens the timeline: then the answer is of some moment before.
/// `directory`: timelines/ID, `stored`: its manifest. Errors: io, corrupt; not_found where a layer
/// file was removed meanwhile, so that the manifest has to be read again.
result<closed_survey> survey_closed(layers::layer_files& files, const path& directory,
                                    const closed_timeline& timeline, const layers::manifest& stored,
                                    timestamp now);

}  // namespace zenith::repository
