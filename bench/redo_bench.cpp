// How long redo takes: pages with a few and with many records behind them, and the WAL of a
// pgbench run against stock PostgreSQL's recovery of the same WAL.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/redo.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/redo_records.hpp"
#include "tests/support/wal_replay.hpp"

namespace zenith::testing {
namespace {

constexpr relation_id relation{1663, 5, 16384};
constexpr block_number block = 7;

double since_us(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

/// The records of one page: an image of an empty page, then changes of it.
class page_history {
 public:
  explicit page_history(uint16_t special_size_bytes) {
    pg::page_init(empty_, special_size_bytes);
    auto& record = add(pg::resource_manager::xlog, 0xB0).get();
    record.block_storage[0].has_image = true;
    record.block_storage[0].image = {.data = empty_.view(), .apply = true};
  }
  made_record& add(pg::resource_manager rmgr, uint8_t info) {
    next_ = next_ + 0x100;
    return records_.emplace_back(rmgr, info, next_).block(0, relation, block);
  }
  /// The best of many rebuilds of the page, in microseconds.
  double rebuild_us() const {
    const auto k = key::block(relation, fork_number::main, block);
    double best = 1e9;
    for (int round = 0; round < 5000; ++round) {
      page p;
      const auto start = std::chrono::steady_clock::now();
      for (const auto& record : records_)
        if (const auto applied = redo::apply(record, k, p); !applied)
          throw std::runtime_error(applied.error().message);
      best = std::min(best, since_us(start));
    }
    return best;
  }

 private:
  page empty_;
  lsn next_{0x1000};
  std::deque<made_record> records_;
};

/// Inserts of rows whose columns are null, so that 227 fit (xl_heap_insert, xl_heap_header).
double heap_inserts_us(uint16_t count) {
  page_history history(0);
  for (uint16_t number = 1; number <= count; ++number) {
    const std::array<std::byte, 5> header{std::byte{1}, {}, {}, std::byte{8}, std::byte{24}};
    const std::array<std::byte, 1> null_bits{};
    history.add(pg::resource_manager::heap, 0x00)
        .main(number)
        .main(uint8_t{0})
        .data(header)
        .data(null_bits);
  }
  return history.rebuild_us();
}

/// Inserts of one-integer keys, each in the middle of the page (xl_btree_insert).
double btree_inserts_us(uint16_t count) {
  page_history history(16);
  for (uint16_t number = 1; number <= count; ++number) {
    std::array<uint16_t, 8> tuple{0, number, 1, 16, number};
    history.add(pg::resource_manager::btree, 0x00)
        .main(static_cast<uint16_t>((number + 1) / 2))
        .data(std::as_bytes(std::span{tuple}));
  }
  return history.rebuild_us();
}

/// "redo done at 0/1 system usage: ... elapsed: 1.23 s": the seconds.
double elapsed_s(const std::string& log) {
  const auto done = log.rfind("redo done at");
  const auto at = done == std::string::npos ? done : log.find("elapsed: ", done);
  if (at == std::string::npos) throw std::runtime_error("the server did no recovery:\n" + log);
  return std::stod(log.substr(at + 9));
}

void compare_with_recovery(const std::string& transactions) {
  temporary_directory directory;
  postgres_server server(directory, {.configuration = "wal_level = replica\n"
                                                      "full_page_writes = off\n"
                                                      "autovacuum = off\n"
                                                      "checkpoint_timeout = 1h\n"
                                                      "max_wal_size = 64GB\n"
                                                      "shared_buffers = 1GB\n"});
  const auto base = directory / "base";
  std::filesystem::create_directory(base);
  for (const auto* folder : {"base", "global"})
    std::filesystem::copy(server.data() / folder, base / folder,
                          std::filesystem::copy_options::recursive);
  server.start();
  // initdb's last checkpoint, from which recovery starts as well.
  const auto start = parse_lsn(server.value("select redo_lsn from pg_control_checkpoint()"));
  run_ok({pg_program("pgbench"), "-h", server.socket_directory().string(), "-U", "postgres", "-i",
          "-s", "5", "-q", "postgres"});
  run_ok({pg_program("pgbench"), "-h", server.socket_directory().string(), "-U", "postgres", "-n",
          "-c", "2", "-t", transactions, "postgres"});
  const auto until = parse_lsn(server.value("select pg_current_wal_flush_lsn()"));
  server.kill();
  if (!start || !until) throw std::runtime_error("the server gave no LSN");

  const auto began = std::chrono::steady_clock::now();
  const auto report =
      replay_wal({.wal = server.data() / "pg_wal", .start = *start, .until = *until, .base = base});
  const double ours_s = since_us(began) / 1e6;
  if (report.problem_count > 0) throw std::runtime_error(report.text());
  server.start();
  const double stock_s = elapsed_s(server.log());
  fmt::print(
      "{} records of pgbench: {:.2f} s here, {:.2f} s in PostgreSQL's recovery, ratio "
      "{:.2f} ({:.0f} and {:.0f} records/ms)\n",
      report.records, ours_s, stock_s, ours_s / stock_s,
      static_cast<double>(report.records) / ours_s / 1e3,
      static_cast<double>(report.records) / stock_s / 1e3);
}

}  // namespace
}  // namespace zenith::testing

int main(int argc, char** argv) {
  using namespace zenith::testing;
  for (const uint16_t count : {2, 227})
    fmt::print("a heap page, its image and {} inserts: {:.2f} us\n", count, heap_inserts_us(count));
  fmt::print("a btree page, its image and 200 inserts: {:.2f} us\n", btree_inserts_us(200));
  compare_with_recovery(argc > 1 ? argv[1] : "30000");
}
