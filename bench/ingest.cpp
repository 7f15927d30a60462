// Decoding, ingesting and checking the WAL of pgbench runs, against pg_waldump on the same files.
#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "bench/support/pgbench_wal.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/postgres/record.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::bench {
namespace {

// What a receiver gets from a walsender at once is 128 KiB at most (walsender.c, MAX_SEND_SIZE).
constexpr size_t chunk_bytes = 128 * 1024;
constexpr int rounds = 9;

/// Calls back with each record, and checks that the last one ends where the server said.
template <class Each>
void for_each_record(const pgbench_wal& wal, const Each& each) {
  wal::decoder decode(wal.identity, wal.start, lsn{});
  const auto check = [](const auto& done) {
    if (!done) throw std::runtime_error(done.error().message);
  };
  read_in_chunks(wal, chunk_bytes, [&](lsn at, byte_view data) {
    check(decode.feed(at, data));
    for (;;) {
      const auto record = decode.next();
      check(record);
      if (!*record) break;
      each(**record);
    }
  });
  if (decode.position() != wal.end)
    throw std::runtime_error(fmt::format("decoding ended at {}, expected {}",
                                         to_string(decode.position()), to_string(wal.end)));
}

void only_read(const pgbench_wal& wal) {
  read_in_chunks(wal, chunk_bytes, [](lsn, byte_view) {});
}

void frame_and_check(const pgbench_wal& wal) {
  for_each_record(wal, [](const wal::raw_record&) {});
}

void decode(const pgbench_wal& wal) {
  pg::record record;
  for_each_record(wal, [&](const wal::raw_record& raw) {
    if (auto done = pg::decode_record(raw.bytes, raw.start, raw.end, record); !done)
      throw std::runtime_error(done.error().message);
  });
}

enum class images { ignored, checked };

void ingest(const pgbench_wal& wal, images what) {
  const auto layer = std::make_shared<layers::memory_layer>(wal.start);
  layers::ingestor ingest(
      layer, {{wal.base, lsn::max()}},
      [](const wal::raw_record&, const error& cause) { throw std::runtime_error(cause.message); });
  if (what == images::checked)
    ingest.check_images([](const std::string& problem) { throw std::runtime_error(problem); });
  for_each_record(wal, [&](const wal::raw_record& raw) {
    if (auto done = ingest.ingest(raw); !done) throw std::runtime_error(done.error().message);
  });
  if (what == images::checked && ingest.images().checked == 0)
    throw std::runtime_error("no image was checked");
}

void run_waldump(const pgbench_wal& wal) {
  testing::run_ok({testing::pg_program("pg_waldump"), "--quiet", "-p", wal.folder.string(), "-s",
                   to_string(wal.start), "-e", to_string(wal.end)});
}

struct contender {
  const char* name;
  std::function<void(const pgbench_wal&)> work;
  std::vector<double> seconds;
};

/// All of them in turn, so often; the first is what the others are compared with.
void compare(const pgbench_wal& wal, const char* of, std::vector<contender> contenders) {
  uint64_t records = 0;
  for_each_record(wal, [&](const wal::raw_record&) { ++records; });
  fmt::print("{:.0f} MB of WAL, {} records, {}, {} rounds in turn\n",
             static_cast<double>(wal.size_bytes()) / 1e6, records, of, rounds);
  for (int round = 0; round < rounds; ++round)
    for (auto& one : contenders) {
      const stopwatch watch;
      one.work(wal);
      one.seconds.push_back(watch.seconds());
    }
  const double first_s = spread_of(contenders[0].seconds).median;
  fmt::print("{:<44} {:>28} {:>7} {:>12} {:>22}\n", "", "seconds, median (min to max)", "MB/s",
             "records/ms", "speed / the first's");
  for (const auto& one : contenders) {
    const spread s = spread_of(one.seconds);
    fmt::print("{:<44} {:>28} {:>7.0f} {:>12.0f} {:>22.2f}\n", one.name, to_text(s, 3),
               static_cast<double>(wal.size_bytes()) / 1e6 / s.median,
               static_cast<double>(records) / 1e3 / s.median, first_s / s.median);
  }
}

int run_all(int argc, char** argv) {
  pgbench_run how;
  if (argc > 1) how.transactions_each = std::stoi(argv[1]);
  const contender waldump{"pg_waldump --quiet", run_waldump, {}};
  const auto ingest_only = [](const pgbench_wal& wal) { ingest(wal, images::ignored); };
  fmt::print("{}\n", conditions());
  {
    const testing::temporary_directory directory;
    compare(make_pgbench_wal(directory, how), "pgbench scale 20",
            {waldump,
             {"read in chunks of 128 KiB, nothing else", only_read, {}},
             {"put together, CRCs checked", frame_and_check, {}},
             {"the same, and every record decoded", decode, {}},
             {"the same, and ingested into a memory layer", ingest_only, {}}});
  }
  const testing::temporary_directory directory;
  how.transactions_each /= 10;
  how.configuration = "wal_consistency_checking = 'all'\nwal_compression = lz4\n";
  compare(make_pgbench_wal(directory, how), "scale 20, wal_consistency_checking = all, lz4",
          {waldump,
           {"ingested into a memory layer", ingest_only, {}},
           {"the same, and each image checked",
            [](const pgbench_wal& wal) { ingest(wal, images::checked); },
            {}}});
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_ingest: {}\n", failure.what());
    return 1;
  }
}
