// pgbench_node: a running node with a server that holds pgbench's tables, at rest.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::bench {

/// A compute on main, and what names the pages of pgbench_accounts after a pgbench run.
struct pgbench_node {
  /// `scale`: pgbench's. Errors are exceptions.
  explicit pgbench_node(const std::string& scale);

  testing::zenith_repository repository;
  std::string uri;
  std::filesystem::path socket;  ///< the page service's
  std::string timeline;
  lsn at;
  relation_id relation;
  std::filesystem::path file;        ///< the server's own, of that table
  std::vector<block_number> blocks;  ///< all of them, in random order
};

}  // namespace zenith::bench
