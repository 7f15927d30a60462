// Making branches of a small and of a large database, and reading from each, against copies of the
// same databases.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "bench/support/raw_stream.hpp"
#include "cli/node_client.hpp"
#include "storage/io/durable_file.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::bench {
namespace {

using testing::sql_session;
using testing::zenith_repository;

/// A repository with one server on main, in which the database `app` has about this size.
class subject {
 public:
  subject(std::string name, uint64_t size_mb) : name_(std::move(name)) {
    repository_.init_and_start();
    repository_.run_ok({"pg", "create", "main", "--start"});
    const std::string postgres = repository_.conninfo("main");
    sql_session(postgres).execute("create database app");
    // An empty database has 7 MB; a row of this table takes 256 bytes.
    sql_session app(with_database(postgres, "app"));
    app.execute(
        fmt::format("create table filler as select i, repeat('x', 220) as text "
                    "from generate_series(1, {}) i",
                    (size_mb - 7) * 1'000'000 / 256));
    app.execute("checkpoint");
    size_mb_ = std::stod(app.value("select pg_database_size('app')")) / 1e6;
    filler_ = {1663,
               static_cast<uint32_t>(
                   std::stoul(app.value("select oid from pg_database where datname = 'app'"))),
               static_cast<uint32_t>(
                   std::stoul(app.value("select relfilenode from pg_class where relname = "
                                        "'filler'")))};
    // "host='FOLDER' port=6400": libpq's name for the socket FOLDER/.s.PGSQL.6400.
    const std::string address = repository_.run_ok({"status"})["page_address"];
    pages_ = repository_.zenith_directory() / "run" /
             (".s.PGSQL." + address.substr(address.rfind('=') + 1));
  }

  void make_branch() {
    const stopwatch watch;
    const auto made = repository_.run_ok({"branch", fmt::format("b{}", ++made_)});
    command_ms_.push_back(watch.seconds() * 1e3);
    supervisor_ms_.push_back(made["supervisor_us"].get<double>() / 1e3);
    waited_ms_.push_back(made["waited_us"].get<double>() / 1e3);
  }
  /// A branch, and a page of its table from the page service, all on new connections.
  void branch_and_read_page() {
    const stopwatch watch;
    auto node = cli::node_client::connect(repository_.zenith_directory());
    if (!node) throw std::runtime_error(node.error().message);
    const auto made = node->make_branch(fmt::format("read{}", read_ms_.size()), "main");
    if (!made) throw std::runtime_error(made.error().message);
    raw_stream stream(pages_, made->branch.timeline);
    stream.ask_all({encode_raw({pages::request_kind::get_page, 0, lsn{made->branch.start_lsn},
                                filler_, fork_number::main, 0})},
                   1);
    read_ms_.push_back(watch.seconds() * 1e3);
  }
  /// A branch with a server of its own, asked for a row.
  void branch_and_ask_server() {
    const auto name = fmt::format("server{}", server_ms_.size());
    const stopwatch watch;
    repository_.run_ok({"branch", name});
    repository_.run_ok({"pg", "create", name, "--start"});
    sql_session(with_database(repository_.conninfo(name), "app"))
        .value("select text from filler limit 1");
    server_ms_.push_back(watch.seconds() * 1e3);
    repository_.run_ok({"pg", "destroy", name, "--force"});
  }
  /// What the disk makes of the least that a branch has to do: one new file, it and its name
  /// durable.
  void write_one_file() {
    const auto name = repository_.scratch() / fmt::format("file{}", made_);
    const stopwatch watch;
    auto done = write_file_durably(posix_file_system(), name, bytes(200));
    if (!done) throw std::runtime_error(done.error().message);
    file_ms_.push_back(watch.seconds() * 1e3);
  }
  void create_database() {
    const std::string postgres = repository_.conninfo("main");
    sql_session session(postgres);
    const stopwatch watch;
    session.execute("create database copied template app strategy file_copy");
    create_ms_.push_back(watch.seconds() * 1e3);
    sql_session(with_database(postgres, "copied")).value("select text from filler limit 1");
    create_and_ask_ms_.push_back(watch.seconds() * 1e3);
    session.execute("drop database copied");
  }
  void copy_directory() {
    const auto copy = repository_.scratch() / "copied";
    const auto from = repository_.zenith_directory() / "computes" / "main" / "pgdata";
    const stopwatch watch;
    testing::run_ok({"cp", "-r", from.string(), copy.string()});
    copy_ms_.push_back(watch.seconds() * 1e3);
    std::filesystem::remove_all(copy);
  }
  void print() const {
    const spread branch = spread_of(supervisor_ms_);
    const auto slow = std::count_if(supervisor_ms_.begin(), supervisor_ms_.end(),
                                    [](double ms) { return ms > 10; });
    fmt::print("{}: a database of {:.0f} MB, {} branches, {} of them slower than 10 ms\n", name_,
               size_mb_, made_, slow);
    const auto line = [&](const char* what, const std::vector<double>& samples) {
      const spread s = spread_of(samples);
      fmt::print("  {:<52} {:>34} {:>10.1f}\n", what, to_text(s, 2), s.median / branch.median);
    };
    fmt::print("  {:<52} {:>34} {:>10}\n", "", "ms, median (min to max)", "/ branch");
    line("branch, in the supervisor", supervisor_ms_);
    line("  and the wait for the parent's WAL", waited_ms_);
    line("  the whole command, as a user waits for it", command_ms_);
    line("one small file written durably, on the same disk", file_ms_);
    line("CREATE DATABASE TEMPLATE STRATEGY file_copy, same server", create_ms_);
    line("  and a row read from the copy", create_and_ask_ms_);
    line("branch, and a page read from it by the page service", read_ms_);
    line("branch, a server of its own, a row read from it", server_ms_);
    line("cp -r of the server's data directory", copy_ms_);
  }

 private:
  static std::string with_database(std::string uri, const std::string& database) {
    const std::string from = "/postgres?";
    const auto at = uri.find(from);
    if (at == std::string::npos) throw std::runtime_error("unexpected URI " + uri);
    return uri.replace(at, from.size(), "/" + database + "?");
  }

  std::string name_;
  zenith_repository repository_;
  relation_id filler_{};
  std::filesystem::path pages_;  // the page service's socket
  double size_mb_ = 0;
  int made_ = 0;
  std::vector<double> supervisor_ms_, waited_ms_, command_ms_, file_ms_, create_ms_, copy_ms_;
  std::vector<double> create_and_ask_ms_, read_ms_, server_ms_;
};

int run_all(int argc, char** argv) {
  const uint64_t large_mb = argc > 1 ? std::stoull(argv[1]) : 1000;
  constexpr int branches = 60;
  constexpr int read_branches = 100;
  constexpr int copies = 5;
  subject small("small", 10);
  subject large("large", large_mb);
  fmt::print("{}\n", conditions());
  // In turn, so that whatever else the machine does meets both alike.
  for (int i = 0; i < branches; ++i) {
    for (subject* one : {&small, &large}) {
      one->make_branch();
      one->write_one_file();
    }
  }
  for (int i = 0; i < read_branches; ++i)
    for (subject* one : {&small, &large}) one->branch_and_read_page();
  for (int i = 0; i < copies; ++i)
    for (subject* one : {&small, &large}) {
      one->branch_and_ask_server();
      one->create_database();
      one->copy_directory();
    }
  small.print();
  large.print();
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_branch: {}\n", failure.what());
    return 1;
  }
}
