// layer_writes: what jobs that write layer files are given and give, on any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "storage/layers/layer_files.hpp"
#include "storage/layers/layer_limits.hpp"
#include "storage/layers/layer_map.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/layers/retention.hpp"
#include "storage/layers/unreadable.hpp"
#include "storage/layers/view.hpp"

namespace zenith::layers {

/// Where a job's files go. Numbers are never used twice, also where the job fails.
struct layer_output {
  std::shared_ptr<layer_files> files;
  timeline_id timeline;
  std::shared_ptr<std::atomic<uint64_t>> next_number;
  page_checksums checksums = page_checksums::off;

  layer_name next_name() const { return {timeline, next_number->fetch_add(1), layer_kind::delta}; }
};

/// What a job did.
struct written_layers {
  std::vector<layer_file_info> files;  ///< durable, in the order of their keys
  uint64_t bytes_read = 0;             ///< of layer files
  uint64_t bytes_written = 0;          ///< of layer files
  /// What of a merge's inputs could not be read. Where there is any, nothing was written.
  std::vector<unreadable_part> unreadable;
};

/// Writes what a frozen layer holds, up to what it has published, into one delta layer (none where
/// it holds nothing). A record that brings an image of its block is written as the page that it
/// makes, but on visibility maps; of other records what redo of their page does not need is left
/// out (postgres/stored_record.hpp). Versions that do not decode stay records, for readers to
/// refuse. Errors: io, already_exists.
result<written_layers> write_frozen_layer(const memory_layer& frozen, const layer_output& out,
                                          const layer_limits& limits);

/// A merge: what the inputs hold of keys from first to last goes to one level as new files.
struct compaction_plan {
  std::vector<layer_slice> inputs;  ///< newest first
  key first;                        ///< both included
  key last;
  unsigned output_level = 0;
};

enum class collecting : uint8_t { no, yes };

/// The merge that is due for a timeline, if any, in the level that is most too large
/// (pick_compaction.hpp has the rules). Else, where it is asked for, a slice of a file that the
/// timeline wrote which holds versions that may go, to be rewritten where it is. Bounded by
/// limits.job_bytes, but for level 0, whose size limits.level0_max bounds. Reads nothing of what is
/// `unreadable`, and adds to it slices whose index turns out to be. Error: io, of reading indexes.
result<std::optional<compaction_plan>> pick_compaction(const layer_map& map, layer_files& files,
                                                       const layer_limits& limits,
                                                       const retention& keep, timeline_id owner,
                                                       collecting also,
                                                       unreadable_parts& unreadable);

/// Whether a merge of level 0 is due that can be done. Reads nothing.
bool level0_merge_is_due(const layer_map& map, const layer_limits& limits, timeline_id owner,
                         const unreadable_parts& unreadable);

/// Writes down in what is known of a merge's output under which retention it was made, so that it
/// is not picked again to be collected in vain. Where everything is kept again, what an earlier
/// merge did of that holds for its output as well: nothing comes back.
void note_retention(layer_file_info& output, const retention& keep,
                    const std::vector<layer_slice>& inputs);

/// Does a merge. Versions that no kept state needs are left out; where more records of a page than
/// limits.records_per_page_max would follow each other, a page made from them takes the newest
/// one's place. The files carry note_retention. `stop` is asked now and then: true ends the job
/// (error unavailable); its files are garbage then. Where an input cannot be read, all of them are
/// looked through, and written_layers::unreadable says what of them it is. Errors: io; corrupt, or
/// not_found, where something else than the inputs is at fault (names file and place).
result<written_layers> run_compaction(const compaction_plan& plan, const layer_map& map,
                                      const retention& keep, const layer_output& out,
                                      const layer_limits& limits,
                                      const std::function<bool()>& stop);

}  // namespace zenith::layers
