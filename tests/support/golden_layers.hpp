// golden_layers: what the layer files in tests/golden/layers hold, and how they were written.
#pragma once

#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"
#include "storage/layers/block_file.hpp"
#include "storage/layers/layer_file.hpp"
#include "tests/support/sample_versions.hpp"

namespace zenith::testing {

/// The same for ever: versions of every kind, of keys of every kind, one key with two hundred,
/// batches of transaction ends. LSNs: golden_after < LSN <= golden_last.
sample_versions golden_versions();
inline constexpr lsn golden_after{0x1000};
inline constexpr lsn golden_last{0x9000};
/// The same for ever: golden_versions(), and pages that no compression makes smaller.
sample_versions golden_flushed_versions();
/// The same for ever: batches of transaction ends that say where the records before begin.
sample_versions golden_ends();
/// The same for ever: what an image at golden_last holds.
std::map<key, bytes> golden_image();

/// So small that the golden versions have an index of several levels.
inline constexpr layers::block_file_sizes golden_sizes{1024, 512};
inline constexpr layers::layer_name golden_delta_name{{}, 1, layers::layer_kind::delta};

result<layers::layer_file_info> write_golden_delta(file_system& files, const path& name);
/// Packed by LZ4, as what is written as it came; some of its blocks are not packed.
result<layers::layer_file_info> write_golden_flushed(file_system& files, const path& name);
result<layers::layer_file_info> write_golden_ends(file_system& files, const path& name);
result<void> write_golden_image(file_system& files, const path& name);

}  // namespace zenith::testing
