// Running a server for its WAL, and reading pg_waldump's lines.
#include "tests/support/real_wal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

bytes contents(const fs::path& name) {
  std::ifstream in(name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  const std::string all = std::move(text).str();
  const byte_view view = as_bytes(all);
  return {view.begin(), view.end()};
}

// rmgr: Heap        len (rec/tot):     54/   150, tx:    731, lsn: 0/01000028, prev 0/0, desc: ...
bool parse_dumped(const std::string& line, dumped_record& into) {
  char rmgr[32] = {};
  unsigned record = 0, total = 0, xid = 0, at_high = 0, at_low = 0, prev_high = 0, prev_low = 0;
  if (std::sscanf(line.c_str(), "rmgr: %31s len (rec/tot): %u/%u, tx: %u, lsn: %X/%X, prev %X/%X,",
                  rmgr, &record, &total, &xid, &at_high, &at_low, &prev_high, &prev_low) != 8)
    return false;
  into = {lsn{uint64_t{at_high} << 32 | at_low}, lsn{uint64_t{prev_high} << 32 | prev_low}, total,
          rmgr};
  return true;
}

}  // namespace

real_wal read_real_wal(const fs::path& data_directory) {
  const fs::path folder = data_directory / "pg_wal";
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename().string().size() == 24)
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) throw std::runtime_error("no WAL in " + folder.string());

  real_wal wal;
  fs::path last;
  for (const fs::path& file : files) {
    const bytes segment = contents(file);
    // Segments made in advance hold nothing, or what they held under an older name.
    const auto header = load<pg::wal_long_page_header>(segment.data());
    if (wal.data.empty()) {
      wal.identity = {system_identifier{header.system}, header.segment_size_bytes};
      wal.begin = lsn{header.standard.address};
    } else if (header.standard.address != (wal.begin + wal.data.size()).value()) {
      break;
    }
    wal.data.insert(wal.data.end(), segment.begin(), segment.end());
    last = file.filename();
  }
  // It ends with an error where the WAL does. From the segment that is named it learns their size;
  // else it would ask any one, even one made in advance that holds zeros.
  const std::string output =
      run({pg_program("pg_waldump"), files.front().string(), last.string()}).output;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);)
    if (dumped_record record; parse_dumped(line, record)) wal.records.push_back(record);
  if (wal.records.empty()) throw std::runtime_error("pg_waldump found no record");
  wal.first = wal.records.front().start;
  // The end is what a decoder gives after the last of them; page headers lie within longer ones.
  wal::decoder decode(wal.identity, wal.first, lsn{});
  if (!decode.feed(wal.first, wal.from(wal.first))) throw std::runtime_error("WAL with a gap");
  for (auto found = decode.next(); found && *found; found = decode.next()) {
  }
  wal.end = decode.position();
  return wal;
}

const real_wal& sample_wal() {
  static const real_wal wal = [] {
    const temporary_directory directory;
    postgres_server server(directory,
                           postgres_server::options{{"--wal-segsize=1"},
                                                    "wal_keep_size = 1GB\nmax_wal_size = 4GB\n"
                                                    "autovacuum = off\nwal_level = logical\n"});
    server.start();
    server.execute("create table t (id int primary key, v text)");
    server.execute("insert into t select i, repeat('x', i % 300) from generate_series(1, 2000) i");
    server.execute("select pg_switch_wal()");
    server.execute("update t set v = v || 'y' where id % 3 = 0");
    // Records over several pages, and one over a whole segment and more.
    server.execute("select pg_logical_emit_message(false, 'test', repeat('k', 12000))");
    server.execute("update t set v = v || 'z' where id < 100");
    server.execute("select pg_logical_emit_message(false, 'test', repeat('l', 10000))");
    server.execute("insert into t select i, 'new' from generate_series(3000, 3600) i");
    server.execute("select pg_logical_emit_message(false, 'test', repeat('m', 50000))");
    server.execute("select pg_logical_emit_message(false, 'test', repeat('n', 1500000))");
    server.execute("checkpoint");
    server.execute("delete from t where id % 5 = 0");
    server.execute("select pg_switch_wal()");
    server.execute("vacuum t");
    server.stop();
    return read_real_wal(server.data());
  }();
  return wal;
}

}  // namespace zenith::testing
