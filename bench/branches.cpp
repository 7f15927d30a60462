// Branches in numbers and in depth: made, listed, read, kept, and the node started with them.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "bench/support/raw_stream.hpp"
#include "cli/node_client.hpp"
#include "storage/base/ids.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/repository/node_file.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::bench {
namespace {

using testing::sql_session;
using testing::zenith_repository;

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  return std::move(*done);
}

// A field of a process's status, in KB: "VmRSS:"; or a number: "Threads:".
uint64_t status_field(pid_t process, const std::string& field) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::stoull(line.substr(field.size()));
  return 0;
}

uint64_t allocated_bytes(const std::filesystem::path& file) {
  struct stat found {};
  return stat(file.c_str(), &found) == 0 ? static_cast<uint64_t>(found.st_blocks) * 512 : 0;
}

// One folder with all that is in it.
uint64_t allocated_below(const std::filesystem::path& folder) {
  uint64_t bytes = allocated_bytes(folder);
  for (const auto& one : std::filesystem::recursive_directory_iterator(folder))
    bytes += allocated_bytes(one.path());
  return bytes;
}

class crowd {
 public:
  crowd() {
    repository_.init_and_start();
    repository_.run_ok({"pg", "create", "main", "--start"});
    {
      sql_session session(repository_.conninfo("main"));
      session.execute("create table t as select 1 as a");
      // 60 rows a page; each level changes some in each of many pages.
      session.execute(
          "create table wide with (fillfactor = 80) as select id, 0 as level, "
          "repeat(md5(id::text), 3) as v from generate_series(1, 60000) id");
      const auto row = session.rows(
          "select d.oid, c.relfilenode, pg_relation_size(c.oid) / 8192 from pg_class c, "
          "pg_database d where c.relname = 'wide' and d.datname = current_database()");
      wide_ = {1663, static_cast<uint32_t>(std::stoul(row.at(0).at(0))),
               static_cast<uint32_t>(std::stoul(row[0][1]))};
      wide_blocks_ = static_cast<block_number>(std::stoul(row[0][2]));
    }
    repository_.run_ok({"pg", "stop", "main"});
  }

  cli::node_client node() {
    return must(cli::node_client::connect(repository_.zenith_directory()));
  }

  // From so many branches to so many, all of main.
  void grow(int from, int to) {
    auto client = node();
    std::vector<double> supervisor, waited;
    for (int i = from; i < to; ++i) {
      auto made = must(client.make_branch(fmt::format("b{}", i), "main"));
      supervisor.push_back(static_cast<double>(made.supervisor_us) / 1e3);
      waited.push_back(static_cast<double>(made.waited_us) / 1e3);
      last_ = made.branch.timeline;
    }
    fmt::print("  making branches {} to {}, ms each: {} in the supervisor, {} waiting\n", from, to,
               to_text(spread_of(supervisor), 2), to_text(spread_of(waited), 2));
  }

  void list(const char* when) {
    auto client = node();
    std::vector<double> ms;
    size_t listed = 0;
    double first = 0;
    for (int i = 0; i < 10; ++i) {
      const stopwatch watch;
      listed = must(client.branches()).size();
      (i == 0 ? first : ms.emplace_back()) = watch.seconds() * 1e3;
    }
    fmt::print("  listing {} branches {}, ms: first {:.1f}, then {}\n", listed, when, first,
               to_text(spread_of(ms), 1));
    const stopwatch whole;
    static_cast<void>(repository_.run({"branch"}));
    fmt::print("  the command zenith branch, ms: {:.1f}\n", whole.seconds() * 1e3);
    const stopwatch status;
    static_cast<void>(must(client.status()));
    fmt::print("  status of all, ms: {:.1f}\n", status.seconds() * 1e3);
  }

  void restart() {
    repository_.run_ok({"stop"});
    const stopwatch watch;
    repository_.run_ok({"start"});
    fmt::print("  zenith start, ms: {:.1f}; {} threads\n", watch.seconds() * 1e3,
               status_field(repository_.node_process(), "Threads:"));
  }

  void disk() {
    const auto folder = repository_.zenith_directory() / "timelines" / last_;
    fmt::print("  disk of an untouched branch, bytes: {}\n", allocated_below(folder) + 4096);
  }

  // Each is opened by reading its control data.
  void open_all() {
    auto client = node();
    const auto branches = must(client.branches());
    const auto file = must(repository::decode_node_file(must(read_metadata_file(
        posix_file_system(), repository_.zenith_directory() / repository::node_file_name))));
    sql_session pages(file.page_address);
    const pid_t process = repository_.node_process();
    const auto read = [&](const actors::branch_info& one) {
      pages.execute(fmt::format("controlfile {} {}", one.timeline, to_string(lsn{one.last_lsn})));
    };
    read(branches.front());
    const uint64_t before_kb = status_field(process, "VmRSS:");
    const uint64_t threads = status_field(process, "Threads:");
    const stopwatch watch;
    for (const auto& one : branches) read(one);
    const double seconds = watch.seconds();
    const uint64_t after_kb = status_field(process, "VmRSS:");
    fmt::print(
        "  {} branches opened and read, us each: {:.1f}; memory of each, bytes: {:.0f}; "
        "threads {} before, {} after\n",
        branches.size(), seconds * 1e6 / static_cast<double>(branches.size()),
        static_cast<double>(after_kb - before_kb) * 1024 / static_cast<double>(branches.size()),
        threads, status_field(process, "Threads:"));
  }

  // Each level's server writes, then the next level is made from it.
  void chain(int depth) {
    std::string parent = "main";
    std::vector<double> supervisor, waited;
    for (int level = 1; level <= depth; ++level) {
      const std::string name = fmt::format("level{}", level);
      auto client = node();
      const auto made = must(client.make_branch(name, parent));
      supervisor.push_back(static_cast<double>(made.supervisor_us) / 1e3);
      waited.push_back(static_cast<double>(made.waited_us) / 1e3);
      repository_.run_ok({"pg", "create", name, "--start"});
      sql_session(repository_.conninfo(name))
          .execute(fmt::format("update wide set level = {0} where id % 997 = {0} % 997", level));
      repository_.run_ok({"pg", "destroy", name, "--force"});
      parent = name;
      if (level == 1 || level % 10 == 0)
        fmt::print(
            "  making the branch of level {}, ms: {:.2f} in the supervisor, {:.2f} waiting\n",
            level, supervisor.back(), waited.back());
    }
    fmt::print("  making the branch of a level, of {}, ms: {} in the supervisor, {} waiting\n",
               depth, to_text(spread_of(supervisor), 2), to_text(spread_of(waited), 2));
  }

  // All pages of the table at one level's end, from a node that was just started; then again.
  void read_level(int level) {
    restart();
    const auto branches = must(node().branches());
    const auto one =
        std::ranges::find(branches, fmt::format("level{}", level), &actors::branch_info::name);
    if (one == branches.end()) throw std::runtime_error(fmt::format("no level {}", level));
    const stopwatch opening;
    repository_.run_ok({"lsn", one->name});
    const double opening_ms = opening.seconds() * 1e3;
    std::vector<block_number> blocks(wide_blocks_);
    std::iota(blocks.begin(), blocks.end(), block_number{0});
    std::shuffle(blocks.begin(), blocks.end(), std::minstd_rand(1));
    std::vector<raw_request> requests;
    for (const block_number block : blocks)
      requests.push_back(encode_raw({pages::request_kind::get_page, requests.size(),
                                     lsn{one->last_lsn}, wide_, fork_number::main, block}));
    const std::string address = repository_.run_ok({"status"})["page_address"];
    raw_stream stream(repository_.zenith_directory() / "run" /
                          (".s.PGSQL." + address.substr(address.rfind('=') + 1)),
                      one->timeline);
    const stopwatch cold;
    stream.ask_all(requests, 1);
    const double cold_us = cold.seconds() * 1e6 / static_cast<double>(requests.size());
    std::vector<double> hot_us;
    for (int round = 0; round < 9; ++round) {
      const stopwatch hot;
      stream.ask_all(requests, 1);
      hot_us.push_back(hot.seconds() * 1e6 / static_cast<double>(requests.size()));
    }
    fmt::print("  level {}: zenith lsn {:.1f} ms; each of {} pages, us: first {:.1f}, then {}\n",
               level, opening_ms, requests.size(), cold_us, to_text(spread_of(hot_us), 1));
  }

 private:
  zenith_repository repository_;
  std::string last_;
  relation_id wide_{};
  block_number wide_blocks_ = 0;
};

int run_all(int argc, char** argv) {
  const int most = argc > 1 ? std::stoi(argv[1]) : 10'000;
  const int depth = argc > 2 ? std::stoi(argv[2]) : 30;
  crowd all;
  fmt::print("{}\n", conditions());
  int there = 0;
  for (const int number : {1, 100, 1000, 10'000}) {
    if (number > most) break;
    all.grow(there, number);
    there = number;
  }
  all.disk();
  all.list("as they were made");
  all.restart();
  all.list("after a start");
  all.open_all();
  all.list("all open");
  all.chain(depth);
  for (const int level : {1, depth, 1, depth}) all.read_level(level);
  fmt::print("{}\n", conditions());
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench_branches: %s\n", failure.what());
    return 1;
  }
}
