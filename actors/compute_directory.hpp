// A compute's files: its data directory from a plan, and its configuration before and after a run.
#pragma once

#include <functional>

#include "actors/compute.hpp"
#include "storage/base/result.hpp"

namespace zenith::actors {

/// Writes computes/NAME/pgdata and the folder of its tablespaces, replacing what was there.
result<void> write_data_directory(const compute_parameters& how,
                                  const repository::start_plan& plan);

/// Writes zenith.conf, and the line of postgresql.conf that includes it.
result<void> write_configuration(const compute_parameters& how);

/// Copies the server's configuration files to where the branch's are kept.
result<void> keep_configuration(const compute_parameters& how);

/// Writes a plain data directory, with no Zenith in it. Gives the bytes of its relation files.
result<uint64_t> write_plain_directory(const std::filesystem::path& target,
                                       const std::vector<std::filesystem::path>& configuration,
                                       const repository::start_plan& plan);

/// The same as a tar, handed on piece by piece; the configuration is the base's own.
result<void> write_plain_tar(const repository::start_plan& plan,
                             const std::function<result<void>(byte_view)>& out);

}  // namespace zenith::actors
