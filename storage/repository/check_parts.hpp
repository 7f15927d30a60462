// check_parts: how check() reads the kinds of files that have a structure of their own.
#pragma once

#include <map>

#include "storage/layers/layer_files.hpp"
#include "storage/repository/check.hpp"
#include "storage/repository/metadata.hpp"
#include "storage/wal/segments.hpp"

namespace zenith::repository {

/// Collects what is found, file by file.
class check_findings {
 public:
  check_findings(file_system& files, check_report& report, const check_progress& progress)
      : files_(files), report_(report), progress_(progress) {}

  file_system& files() const { return files_; }
  /// Opens a file and counts it; null where it is gone or cannot be opened, which is told.
  std::unique_ptr<file> open(const path& name);
  void damaged(const path& name, uint64_t offset, std::string problem) {
    report_.damaged.push_back({name, offset, std::move(problem)});
  }
  void unreferenced(const path& name) { report_.unreferenced.push_back(name); }
  size_t damages() const { return report_.damaged.size(); }

 private:
  file_system& files_;
  check_report& report_;
  const check_progress& progress_;
};

/// Header, every block and footer of a block file, whatever its index says of them.
void check_block_file(check_findings& found, const path& name);
/// The same, and then every entry; `info`: what a manifest says of it, null for a base image.
void check_layer_file(check_findings& found, layers::layer_files& registry, const path& name,
                      const layers::layer_file_info* info);

/// Every record in a timeline's segment files. `durable`: WAL up to here is needed, and was on the
/// disk; `in_files`: what is older is needed no more (lsn::max(): nobody knows how much is).
void check_wal(check_findings& found, const path& folder, const timeline_metadata& timeline,
               lsn durable, lsn in_files);

}  // namespace zenith::repository
