// tar_sink: a data directory as a tar stream, handed on as it is made.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/backup/backup_sink.hpp"
#include "storage/base/timestamp.hpp"

struct archive;
struct archive_entry;

namespace zenith::backup {

/// Writes a POSIX tar (ustar, with pax headers only where a name or size needs them). Holds no
/// more than one buffer: `out` gets each piece as it is full, may block for as long as its reader
/// needs, and its error ends the backup. A tablespace becomes a plain directory pg_tblspc/OID ("in
/// place"); a standby on such a directory needs allow_in_place_tablespaces = on.
class tar_sink final : public backup_sink {
 public:
  using output = std::function<result<void>(byte_view)>;

  /// `time`: what every entry carries as its time of modification.
  tar_sink(output out, timestamp time);
  ~tar_sink() override;
  tar_sink(const tar_sink&) = delete;
  tar_sink& operator=(const tar_sink&) = delete;

  result<void> add_directory(std::string_view name) override;
  result<void> add_tablespace(uint32_t oid) override;
  result<void> begin_file(std::string_view name, uint32_t mode, uint64_t size_bytes) override;
  result<void> write(byte_view data) override;
  result<void> end_file() override;
  result<void> finish() override;

 private:
  result<void> write_header(std::string_view name, uint32_t type, uint32_t mode,
                            uint64_t size_bytes);
  /// out_'s error, else libarchive's where it has not done it.
  result<void> check(bool done, std::string_view what) const;
  static ssize_t on_write(archive*, void* self, const void* data, size_t size_bytes);

  output out_;
  timestamp time_;
  archive* archive_;
  archive_entry* entry_;
  result<void> out_result_;  // of the last call of out_
  std::string file_;         // the file being written
  uint64_t left_bytes_ = 0;  // of it, still to be written
};

}  // namespace zenith::backup
