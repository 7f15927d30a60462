// The repository's secret: what a client of the node has to know, readable by its owner only.
#pragma once

#include <array>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::repository {

inline constexpr size_t secret_size_bytes = 32;
using secret_bytes = std::array<std::byte, secret_size_bytes>;

/// Makes the file with a new secret, mode 0600. Error: already_exists, io.
result<void> write_new_secret(file_system& files, const path& name);
/// Errors: not_found, corrupt (not exactly 32 bytes), io.
result<secret_bytes> read_secret(file_system& files, const path& name);

}  // namespace zenith::repository
