// The first page of a timeline that was closed, and a point by its time, over much history.
//
// A running node, whose layers are written and merged. Before each round it is stopped and started,
// so that the timeline is closed and nothing is in a cache of the node's; the machine has the
// files.
#include <fmt/format.h>

#include <cstdio>
#include <random>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "bench/support/raw_stream.hpp"
#include "cli/node_client.hpp"
#include "storage/base/timestamp.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::bench {
namespace {

namespace fs = std::filesystem;

constexpr int rounds = 20;
constexpr int times_each_round = 50;
constexpr double page_wanted_ms = 50;
constexpr double time_wanted_ms = 10;

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  return std::move(*done);
}

class subject {
 public:
  /// `mb`: of random bytes, which no layer makes smaller; then so many transactions.
  subject(uint64_t mb, int transactions) {
    repository_.init_and_start();
    repository_.run_ok({"pg", "create", "main", "--start"});
    const std::string uri = repository_.conninfo("main");
    testing::sql_session session(uri);
    session.execute("alter system set autovacuum = off");
    session.execute("select pg_reload_conf()");
    // Four rows a page, none of them twice on one.
    session.execute(
        "create table part as select i, (select string_agg(uuid_send(gen_random_uuid()), '') from "
        "generate_series(1, 118) where i >= 0) as v from generate_series(0, 999) i");
    session.execute(
        fmt::format("create table filler as select n, v from generate_series(1, {}) n "
                    "join part on i = n % 1000",
                    mb * 1'000'000 / page_size_bytes * 4));
    const auto row = session.rows(
        "select d.oid, c.relfilenode, pg_relation_size(c.oid) / 8192 from pg_class c, "
        "pg_database d where c.relname = 'filler' and d.datname = current_database()");
    filler_ = {1663, static_cast<uint32_t>(std::stoul(row.at(0).at(0))),
               static_cast<uint32_t>(std::stoul(row[0][1]))};
    blocks_ = static_cast<block_number>(std::stoul(row[0][2]));
    const auto pgbench = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), testing::pg_program("pgbench"));
      arguments.push_back(uri);
      testing::run_ok(arguments);
    };
    pgbench({"-i", "-q", "-s", "10"});
    const auto now = [&session] {
      return std::stoll(session.value("select (extract(epoch from now()) * 1000000)::bigint"));
    };
    first_us_ = now();
    pgbench({"-n", "-c", "4", "-j", "2", "-t", std::to_string(transactions / 4)});
    last_us_ = now();
  }

  void settle() {
    repository_.run_ok({"pg", "stop", "main"});
    repository_.run_ok({"compact", "main"});
    const auto branches = must(node().branches());
    timeline_ = branches.at(0).timeline;
    end_ = lsn{branches[0].last_lsn};
  }

  uint64_t layer_bytes() const {
    uint64_t bytes = 0;
    for (const auto& one : fs::directory_iterator(repository_.zenith_directory() / "timelines" /
                                                  timeline_ / "layers"))
      bytes += one.file_size();
    return bytes;
  }

  void round() {
    repository_.run_ok({"stop"});
    repository_.run_ok({"start"});
    // "host='FOLDER' port=6400": libpq's name for the socket FOLDER/.s.PGSQL.6400.
    const std::string address = repository_.run_ok({"status"})["page_address"];
    const fs::path socket = repository_.zenith_directory() / "run" /
                            (".s.PGSQL." + address.substr(address.rfind('=') + 1));
    first_page_ms_.push_back(page_ms(socket));
    next_page_ms_.push_back(page_ms(socket));
    auto client = node();
    for (int i = 0; i < times_each_round; ++i) {
      const auto at = std::uniform_int_distribution<int64_t>(first_us_, last_us_)(random_);
      const std::string point = "main@" + to_string(timestamp::from_unix_us(at));
      const stopwatch watch;
      const auto found = must(client.resolve(point));
      (i == 0 ? first_time_ms_ : next_time_ms_).push_back(watch.seconds() * 1e3);
      if (lsn{found.lsn} > end_) throw std::runtime_error(point + " lies past the timeline's end");
    }
  }

  void print() const {
    const auto line = [](const char* what, const std::vector<double>& samples,
                         const std::string& wanted) {
      fmt::print("  {:<58} {:>28} {:>7}\n", what, to_text(spread_of(samples), 2), wanted);
    };
    fmt::print("  {:<58} {:>28} {:>7}\n", "", "ms, median (min to max)", "wanted");
    line("closed timeline: connection, and its first page", first_page_ms_,
         fmt::format("{}", page_wanted_ms));
    line("open one: another connection, and another page", next_page_ms_, "");
    line("NAME@TIME on the open timeline: the first", first_time_ms_,
         fmt::format("{}", time_wanted_ms));
    line("NAME@TIME on the open timeline: each further one", next_time_ms_,
         fmt::format("{}", time_wanted_ms));
  }

 private:
  cli::node_client node() const {
    return must(cli::node_client::connect(repository_.zenith_directory()));
  }

  double page_ms(const fs::path& socket) {
    const auto block = static_cast<block_number>(random_() % blocks_);
    const stopwatch watch;
    raw_stream stream(socket, timeline_);
    stream.ask_all(
        {encode_raw({pages::request_kind::get_page, 0, end_, filler_, fork_number::main, block})},
        1);
    return watch.seconds() * 1e3;
  }

  testing::zenith_repository repository_;
  relation_id filler_{};
  block_number blocks_ = 0;
  std::string timeline_;
  lsn end_;
  int64_t first_us_ = 0;  // since 1970
  int64_t last_us_ = 0;
  std::minstd_rand random_{1};
  std::vector<double> first_page_ms_, next_page_ms_, first_time_ms_, next_time_ms_;
};

int run_all(int argc, char** argv) {
  const uint64_t mb = argc > 1 ? std::stoull(argv[1]) : 1000;
  const int transactions = argc > 2 ? std::stoi(argv[2]) : 100'000;
  fmt::print("{}\n", conditions());
  subject one(mb, transactions);
  one.settle();
  for (int i = 0; i < rounds; ++i) one.round();
  fmt::print("{:.0f} MB of layers, {} transactions, {} starts of the node\n",
             static_cast<double>(one.layer_bytes()) / 1e6, transactions, rounds);
  one.print();
  fmt::print("{}\n", conditions());
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_first_request: {}\n", failure.what());
    return 1;
  }
}
