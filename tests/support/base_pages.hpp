// base_pages: reads the pages of relations out of a data directory's files.
#pragma once

#include <filesystem>
#include <optional>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"

namespace zenith::testing {

/// A data directory that nothing changes.
class base_pages {
 public:
  explicit base_pages(std::filesystem::path data) : data_(std::move(data)) {}

  /// Where a relation's segment file lies (relpath.c, GetRelationPath).
  std::filesystem::path file_of(const relation_id& relation, fork_number fork,
                                uint32_t segment) const;
  /// None where the file ends before the block, or there is no file.
  std::optional<page> read(const relation_id& relation, fork_number fork, block_number block) const;

 private:
  std::filesystem::path data_;
};

}  // namespace zenith::testing
