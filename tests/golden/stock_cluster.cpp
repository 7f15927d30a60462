// Making, reading and recovering clusters with PostgreSQL's own programs.
#include "tests/golden/stock_cluster.hpp"

#include <signal.h>

#include <fstream>
#include <stdexcept>

#include "storage/backup/wal_seam.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/record.hpp"
#include "tests/support/cluster_files.hpp"
#include "tests/support/files.hpp"
#include "tests/support/newest_timeline_wal.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t slru_segment_bytes = 32 * page_size_bytes;

// What every server of the corpus runs with, the recovering ones too.
constexpr const char* common_configuration =
    "fsync = off\nautovacuum = off\nwal_level = logical\nwal_keep_size = 1GB\n"
    "max_wal_size = 4GB\ntrack_commit_timestamp = on\nmax_prepared_transactions = 20\n"
    "allow_in_place_tablespaces = on\nmax_logical_replication_workers = 0\n"
    "checkpoint_timeout = 1h\nwal_recycle = off\nlock_timeout = 60s\n"
    "bgwriter_lru_maxpages = 0\nmax_wal_senders = 5\n";

pg::control_file control_of(const fs::path& data) {
  const auto control = pg::decode_control_file(read_file(data / "global" / "pg_control"));
  if (!control) throw std::runtime_error(control.error().message);
  return *control;
}

lsn end_of_last_record(const pg::control_file& control) {
  return backup::record_end(control.checkpoint_record, pg::shutdown_checkpoint_record_size_bytes,
                            {control.system, control.wal_segment_size_bytes});
}

template <class... T>
bytes packed(T... values) {
  bytes out((sizeof(T) + ...));
  size_t at = 0;
  ((store(out.data() + at, values), at += sizeof(T)), ...);
  return out;
}

/// Where the WAL left pg_timeline 1 (timeline.c: a history file's lines are "1", tab, LSN, tab,
/// reason); the end of it where it did not.
lsn promotion_of(const stock_wal& wal) {
  std::ifstream history(wal.folder / "00000002.history");
  std::string timeline, at;
  if (!(history >> timeline >> at)) return wal.end;
  const auto parsed = parse_lsn(at);
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *parsed;
}

void copy_cluster(const fs::path& from, const fs::path& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
}

}  // namespace

void make_base_cluster(const temporary_directory& directory, const fs::path& into) {
  postgres_server server(directory, {{"-k", "--wal-segsize=1"}, common_configuration});
  // pg_resetwal asks for the files in which the new counters lie. A segment of pg_xact ends 256
  // transactions after one of pg_commit_ts (26208 and 1048576 entries a segment).
  for (const char* slru : {"pg_xact", "pg_multixact/offsets", "pg_multixact/members"})
    fs::resize_file(server.data() / slru / "0000", slru_segment_bytes);
  run_ok({pg_program("pg_resetwal"), "-x", "1048300", "-m", "65530,65530", "-O", "52340", "-D",
          server.data().string()});
  server.start();
  server.stop();
  copy_cluster(server.data(), into);
}

stock_wal read_stock_wal(const fs::path& base, const fs::path& data) {
  const auto control = control_of(data);
  stock_wal wal;
  wal.folder = data / "pg_wal";
  wal.identity = {control.system, control.wal_segment_size_bytes};
  wal.start = end_of_last_record(control_of(base));
  wal.end = end_of_last_record(control);
  wal.begin = pg::segment_start(wal.start, control.wal_segment_size_bytes);
  wal.data.resize(wal.end - wal.begin);
  const newest_timeline_wal source(wal.folder, wal.identity.segment_size_bytes, wal.start);
  if (const auto read = source.read(wal.begin, wal.data); !read)
    throw std::runtime_error(read.error().message);
  wal::decoder decode(wal.identity, wal.start, lsn{});
  if (const auto fed =
          decode.feed(pg::wal_page_start(wal.start),
                      byte_view{wal.data}.subspan(pg::wal_page_start(wal.start) - wal.begin));
      !fed)
    throw std::runtime_error(fed.error().message);
  while (true) {
    const auto raw = decode.next();
    if (!raw) throw std::runtime_error(raw.error().message);
    if (!*raw) break;
    pg::record record;
    if (const auto done = pg::decode_record((*raw)->bytes, (*raw)->start, (*raw)->end, record);
        !done)
      throw std::runtime_error(done.error().message);
    wal.ends.push_back((*raw)->end);
    const auto text = pg::describe(record);
    wal.types.push_back(text.substr(0, text.find(" at ")));
  }
  if (decode.position() != wal.end) throw std::runtime_error("the WAL has another end");
  return wal;
}

void recover_stock(const temporary_directory& directory, const fs::path& base, const stock_wal& wal,
                   lsn cut, const fs::path& into) {
  copy_cluster(base, into);
  const uint32_t segment_bytes = wal.identity.segment_size_bytes;
  const uint64_t last = (cut.value() - 1) / segment_bytes;
  for (const auto& entry : fs::directory_iterator(wal.folder)) {
    const std::string file = entry.path().filename().string();
    const auto name = pg::parse_segment_file_name(file, segment_bytes);
    const bool is_history = file.ends_with(".history");
    if (!is_history && (!name || name->number > last)) continue;
    // What a promotion wrote belongs to WAL that goes past it only.
    if ((is_history || name->timeline != pg_timeline{1}) && cut <= promotion_of(wal)) continue;
    const fs::path copy = into / "pg_wal" / file;
    fs::copy_file(entry.path(), copy, fs::copy_options::overwrite_existing);
    if (name && name->number == last) {
      fs::resize_file(copy, cut.value() - last * segment_bytes);
      fs::resize_file(copy, segment_bytes);
    }
  }
  std::ofstream{into / "recovery.signal"};
  give_to_database_user(into);
  const fs::path sockets = directory / "recovery";
  fs::create_directories(sockets);
  give_to_database_user(sockets);
  const fs::path log = into.string() + ".log";
  const pid_t process =
      start({pg_program("postgres"), "-D", into.string(), "-c", "listen_addresses=", "-c",
             "unix_socket_directories=" + sockets.string(), "-c", "hot_standby=off", "-c",
             "restore_command=false", "-c", "wal_consistency_checking="},
            log);
  const bool ready = wait_until([&] {
    const bytes text = read_file(log);
    return as_text(text).find("database system is ready to accept connections") !=
           std::string_view::npos;
  });
  ::kill(process, ready ? SIGINT : SIGQUIT);
  wait_for_exit(process);
  if (!ready) {
    const bytes text = read_file(log);
    throw std::runtime_error("recovery failed:\n" + std::string(as_text(text)));
  }
}

golden_values read_stock_files(const fs::path& data) {
  const auto files = cluster_files::read(data);
  golden_values values = files.values;
  const pg::checkpoint counters = control_of(data).last_checkpoint;
  values[key::next_full_xid()] = packed(counters.next_full_xid);
  values[key::next_oid()] = packed(counters.next_oid);
  values[key::next_multixact()] = packed(counters.next_multixact, counters.next_multixact_offset);
  for (const auto& [k, blocks] : files.sizes) values[k] = packed(blocks);
  for (const auto& [k, content] : files.blocks)
    values[k] = bytes(content.data.begin(), content.data.end());
  return values;
}

}  // namespace zenith::testing
