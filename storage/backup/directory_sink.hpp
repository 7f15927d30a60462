// directory_sink: a data directory on disk.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/backup/backup_sink.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::backup {

struct directory_sink_options {
  /// Where tablespaces lie, each in a folder named by its oid, with pg_tblspc/OID as a symbolic
  /// link to it (absolute, as PostgreSQL makes them); none: in place, as directories in pg_tblspc.
  std::optional<path> tablespaces;
  /// Whether finish() has made everything durable.
  enum class durability { none, synced } keep = durability::none;
};

/// Writes below `target`, which is made, and must not exist yet or be empty. Leaves what it has
/// written where it fails: the caller removes it.
class directory_sink final : public backup_sink {
 public:
  static result<std::unique_ptr<directory_sink>> create(file_system& files, path target,
                                                        directory_sink_options options);

  result<void> add_directory(std::string_view name) override;
  result<void> add_tablespace(uint32_t oid) override;
  result<void> begin_file(std::string_view name, uint32_t mode, uint64_t size_bytes) override;
  result<void> write(byte_view data) override;
  result<void> write_zeros(uint64_t size_bytes) override;
  result<void> end_file() override;
  result<void> finish() override;

 private:
  directory_sink(file_system& files, path target, directory_sink_options options);

  file_system& files_;
  path target_;
  directory_sink_options options_;
  std::unique_ptr<file> file_;
  path file_name_;
  uint32_t file_mode_ = owner_file_mode;
  uint64_t file_size_bytes_ = 0;
  uint64_t position_ = 0;
};

}  // namespace zenith::backup
