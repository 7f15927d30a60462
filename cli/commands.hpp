// commands: what each command does, given a repository (and a node, for most).
#pragma once

#include <filesystem>

#include "cli/context.hpp"
#include "cli/node_client.hpp"

namespace zenith::cli {

/// The repository's owner is who runs these, but for `init`, which decides that itself.
result<answer> run_init(const command_line& line);
result<answer> run_start(const std::filesystem::path& repository);
result<answer> run_stop(const std::filesystem::path& repository);
result<answer> run_status(const std::filesystem::path& repository);
result<answer> run_config(const std::filesystem::path& repository, const command_line& line);
result<answer> run_check(const std::filesystem::path& repository);

result<answer> run_branch_list(node_client& node);
result<answer> run_branch_make(node_client& node, const command_line& line);
result<answer> run_branch_delete(node_client& node, const command_line& line);
result<answer> run_branch_rename(node_client& node, const command_line& line);
result<answer> run_tag_list(node_client& node);
result<answer> run_tag_make(node_client& node, const command_line& line);
result<answer> run_tag_delete(node_client& node, const command_line& line);
result<answer> run_lsn(node_client& node, const command_line& line);

result<answer> run_pg_create(node_client& node, const command_line& line);
result<answer> run_pg_start(node_client& node, const command_line& line);
result<answer> run_pg_stop(node_client& node, const command_line& line);
result<answer> run_pg_list(node_client& node);
result<answer> run_pg_destroy(node_client& node, const command_line& line);
/// Does not return where psql could be run.
result<answer> run_pg_psql(const std::filesystem::path& repository, node_client& node,
                           const command_line& line);

/// Refuses a directory that is not empty; as root makes it and gives it to the repository's owner,
/// and removes it again where nothing came of it.
result<answer> run_export(const std::filesystem::path& repository, node_client& node,
                          const command_line& line);
result<answer> run_page(node_client& node, const command_line& line);
result<answer> run_gc(node_client& node, const command_line& line);
result<answer> run_compact(node_client& node, const command_line& line);
result<answer> run_verify(node_client& node, const command_line& line);

/// Needs neither node nor repository.
result<answer> run_layer_dump(const command_line& line);

}  // namespace zenith::cli
