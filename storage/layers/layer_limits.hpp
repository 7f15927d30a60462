// layer_limits: the sizes that decide when layers are written and merged.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zenith::layers {

/// All from settings (config/settings_table.cpp says what each means); tests make them small.
struct layer_limits {
  uint64_t open_layer_bytes = uint64_t{64} << 20;  ///< memory of an open layer before it is frozen
  uint64_t file_bytes = uint64_t{64} << 20;        ///< stored size of a file that a merge writes
  unsigned level0_merge_at = 4;                    ///< slices in level 0 that call for a merge
  unsigned level0_max = 12;                        ///< slices in level 0 at which ingest waits
  uint64_t level1_bytes = uint64_t{256} << 20;     ///< stored size that calls for a merge downwards
  unsigned level_factor = 8;                 ///< each level may be so many times the one above
  unsigned records_per_page_max = 32;        ///< of one page in one level, before an image is put
  uint64_t job_bytes = uint64_t{512} << 20;  ///< stored bytes that one merge reads, about
  int flush_compression_level = 0;           ///< of what is written as it came; 0: LZ4
  int merge_compression_level = 0;           ///< zstd's, for what merges write; 0: LZ4
};

}  // namespace zenith::layers
