// map_samples: layer files and slices with few words, for tests of maps and manifests.
#pragma once

#include "storage/layers/layer_map.hpp"

namespace zenith::layers {

/// The timeline with this number in all of its bytes.
inline timeline_id sample_timeline(uint8_t number) {
  timeline_id id;
  id.value.fill(number);
  return id;
}

inline key sample_key(uint32_t block) {
  return key::block({1663, 5, 16384}, fork_number::main, block);
}

/// A delta file of timeline 1 with keys from block `first` to block `last`.
inline layer_file_info sample_file(uint64_t number, uint32_t first, uint32_t last, uint64_t after,
                                   uint64_t until) {
  layer_file_info file;
  file.name = {sample_timeline(1), number, layer_kind::delta};
  file.first_key = sample_key(first);
  file.last_key = sample_key(last);
  file.after = lsn{after};
  file.last = lsn{until};
  file.size_bytes = 1000;
  file.entries = 20;
  file.keys = 10;
  return file;
}

/// All of a file.
inline layer_slice whole(const layer_file_info& file) {
  return {file, file.first_key, file.last_key, file.last};
}

inline layer_slice sample_slice(uint64_t number, uint32_t first, uint32_t last, uint64_t after,
                                uint64_t until) {
  return whole(sample_file(number, first, last, after, until));
}

/// A root's base image at an LSN: every key of the tests.
inline layer_slice sample_base(uint64_t at) {
  layer_file_info file = sample_file(0, 0, 1000000, at, at);
  file.name.kind = layer_kind::image;
  file.keys = file.entries;
  return whole(file);
}

}  // namespace zenith::layers
