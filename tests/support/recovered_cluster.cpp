// What PostgreSQL's own crash recovery makes of a base backup and WAL cut at L.
#include "tests/support/recovered_cluster.hpp"

#include <fstream>
#include <optional>
#include <stdexcept>

#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

void cut_file(const fs::path& file, uint64_t keep_bytes, uint32_t segment_size_bytes) {
  fs::resize_file(file, keep_bytes);
  fs::resize_file(file, segment_size_bytes);
}

// The segment in which a recovery of the base backup begins (backup_label, START WAL LOCATION).
uint64_t first_segment(const fs::path& base_backup, uint32_t segment_size_bytes) {
  std::ifstream label(base_backup / "backup_label");
  std::string line;
  std::getline(label, line);
  const size_t name = line.find("(file ");
  const auto found = name == std::string::npos ? std::nullopt
                                               : pg::parse_segment_file_name(
                                                     line.substr(name + 6, 24), segment_size_bytes);
  if (!found) throw std::runtime_error("no backup_label in " + base_backup.string());
  return found->number;
}

}  // namespace

void take_base_backup(const std::string& conninfo, const fs::path& into) {
  run_ok({pg_program("pg_basebackup"), "-D", into.string(), "-d", conninfo, "-X", "none", "-c",
          "fast", "--no-manifest"});
}

void recover_to(const temporary_directory& directory, const fs::path& base_backup,
                const fs::path& wal, pg_timeline timeline, uint32_t segment_size_bytes, lsn cut,
                const fs::path& into) {
  fs::copy(base_backup, into, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const uint64_t first = first_segment(base_backup, segment_size_bytes);
  const uint64_t last = (cut.value() - 1) / segment_size_bytes;
  for (const auto& entry : fs::directory_iterator(wal)) {
    const auto name =
        pg::parse_segment_file_name(entry.path().filename().string(), segment_size_bytes);
    if (!name || name->timeline != timeline || name->number < first || name->number > last)
      continue;
    const fs::path copy = into / "pg_wal" / entry.path().filename();
    fs::copy_file(entry.path(), copy, fs::copy_options::overwrite_existing);
    if (name->number == last)
      cut_file(copy, cut.value() - last * segment_size_bytes, segment_size_bytes);
  }
  // A node's own settings (its socket folder, its port) mean nothing here.
  std::ofstream(into / "zenith.conf", std::ios::trunc) << "fsync = off\nautovacuum = off\n";
  postgres_server server(directory, into);
  server.start();
  server.stop();
}

}  // namespace zenith::testing
