// Running pgbench, and reading the segment files that the server wrote.
#include "bench/support/pgbench_wal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <stdexcept>

#include "storage/backup/import_directory.hpp"
#include "storage/backup/wal_seam.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/postgres/control_file.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::bench {

using testing::pg_program;
using testing::postgres_server;
using testing::run_ok;

namespace {

template <class T>
T value_of(result<T> given) {
  if (!given) throw std::runtime_error(given.error().message);
  return std::move(*given);
}

/// The stopped data directory as an image layer, and where its WAL goes on.
pgbench_wal import_base(const std::filesystem::path& data, const std::filesystem::path& name) {
  file_system& files = posix_file_system();
  const auto control =
      value_of(pg::decode_control_file(value_of(read_file(files, data / "global" / "pg_control"))));
  const lsn base =
      backup::record_end(control.checkpoint_record, pg::shutdown_checkpoint_record_size_bytes,
                         {control.system, control.wal_segment_size_bytes});
  auto writer = value_of(layers::image_writer::create(files, name, base));
  const auto imported = value_of(backup::import_directory(
      files, data, [&](const key& k, byte_view value) { return writer.add(k, value); }));
  value_of(writer.finish());
  if (imported.base != base) throw std::runtime_error("the base lies elsewhere");
  pgbench_wal made;
  made.identity = {imported.system, imported.segment_size_bytes};
  made.start = imported.base;
  made.base_file = name;
  made.base = value_of(layers::image_layer::open(files, name));
  return made;
}

}  // namespace

pgbench_wal make_pgbench_wal(const testing::temporary_directory& directory,
                             const pgbench_run& how) {
  const postgres_server::options options{
      {},
      "autovacuum = off\nfull_page_writes = on\nwal_compression = off\ncheckpoint_timeout = 1h\n"
      "max_wal_size = 64GB\nwal_keep_size = 64GB\nshared_buffers = 1GB\n"
      // Recovery has to redo all of it.
      "bgwriter_lru_maxpages = 0\n" +
          how.configuration};
  postgres_server server(directory, options);
  server.start();
  const auto pgbench = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {pg_program("pgbench"), "-h",
                                         server.socket_directory().string(), "-U", "postgres"});
    arguments.push_back("postgres");
    run_ok(arguments);
  };
  pgbench({"-i", "-q", "-s", std::to_string(how.scale)});
  if (!how.statement.empty()) server.value(how.statement);
  server.stop();
  pgbench_wal made = import_base(server.data(), directory / "base.image");
  made.folder = server.data() / "pg_wal";
  server.start();
  pgbench({"-n", "-c", std::to_string(how.clients), "-j", "2", "-t",
           std::to_string(how.transactions_each)});
  const auto end = parse_lsn(server.value("select pg_current_wal_flush_lsn()"));
  if (!end) throw std::runtime_error("the server gave no LSN");
  made.end = *end;
  if (!how.crash) {
    server.stop();
    return made;
  }
  server.kill();
  made.crashed = directory / "crashed";
  std::filesystem::copy(server.data(), made.crashed, std::filesystem::copy_options::recursive);
  return made;
}

void read_wal(const pgbench_wal& wal, lsn at, byte_span into) {
  const uint64_t segment = at.value() / wal.identity.segment_size_bytes;
  const uint64_t segments_in_4_gib = (uint64_t{1} << 32) / wal.identity.segment_size_bytes;
  const auto name = wal.folder / fmt::format("{:08X}{:08X}{:08X}", 1, segment / segments_in_4_gib,
                                             segment % segments_in_4_gib);
  const int file = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error("cannot open " + name.string());
  const auto offset = static_cast<off_t>(at.value() % wal.identity.segment_size_bytes);
  const ssize_t got = pread(file, into.data(), into.size(), offset);
  close(file);
  if (got != static_cast<ssize_t>(into.size()))
    throw std::runtime_error("cannot read " + name.string());
}

}  // namespace zenith::bench
