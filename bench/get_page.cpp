// Pages over the page service's socket, against the same pages from a real server and its files.
//
// Every page of pgbench_accounts, after a pgbench run, is asked for in random order: by this
// program's client from the node; by libpq from the server (contrib/pageinspect's get_raw_page,
// binary, also in pipeline mode); by pread from the server's file in the page cache. All pages
// that the node gave are compared with the file's.
#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>

#include "bench/support/figures.hpp"
#include "bench/support/one_cpu.hpp"
#include "bench/support/page_client.hpp"
#include "bench/support/pgbench_node.hpp"
#include "storage/postgres/mask.hpp"

namespace zenith::bench {
namespace {

/// What one way of reading all pages came to.
struct run_result {
  double seconds = 0;
  std::vector<double> latency_us;
};

/// Keeps so many requests on their way until all are answered. `send(i)` asks for the i-th block;
/// `receive()` gives the number i of one that has come.
run_result keep_in_flight(size_t count, size_t in_flight, const std::function<void(size_t)>& send,
                          const std::function<size_t()>& receive) {
  run_result result;
  result.latency_us.reserve(count);
  std::vector<double> sent_at(count);
  const stopwatch watch;
  size_t sent = 0;
  for (size_t received = 0; received < count; ++received) {
    for (; sent < count && sent - received < in_flight; ++sent) {
      sent_at[sent] = watch.seconds();
      send(sent);
    }
    const size_t which = receive();
    result.latency_us.push_back((watch.seconds() - sent_at[which]) * 1e6);
  }
  result.seconds = watch.seconds();
  return result;
}

run_result from_node(const pgbench_node& s, size_t in_flight, std::vector<page>* keep = nullptr) {
  page_client client(s.socket, s.timeline);
  const auto send = [&](size_t i) {
    client.send(
        {pages::request_kind::get_page, i, s.at, s.relation, fork_number::main, s.blocks[i]});
  };
  const auto receive = [&] {
    const auto reply = client.receive();
    const auto& data = *std::get<pages::page_reply>(reply.body).data;
    if (keep != nullptr) (*keep)[s.blocks[reply.id]] = data;
    return static_cast<size_t>(reply.id);
  };
  return keep_in_flight(s.blocks.size(), in_flight, send, receive);
}

run_result from_server(const pgbench_node& s, size_t in_flight) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(s.uri.c_str()),
                                                                PQfinish);
  PGconn* const server = connection.get();
  const auto check = [server](bool good) {
    if (!good) throw std::runtime_error(std::string("libpq: ") + PQerrorMessage(server));
  };
  check(PQstatus(server) == CONNECTION_OK);
  PQclear(PQprepare(server, "get", "select get_raw_page('pgbench_accounts', 'main', $1::int8)", 1,
                    nullptr));
  if (in_flight > 1) check(PQenterPipelineMode(server) == 1);
  size_t next = 0;
  const auto send = [&](size_t i) {
    const std::string block = std::to_string(s.blocks[i]);
    const char* const values[] = {block.c_str()};
    check(PQsendQueryPrepared(server, "get", 1, values, nullptr, nullptr, 1) == 1);
    if (in_flight > 1) {
      check(PQsendFlushRequest(server) == 1);
      check(PQflush(server) == 0);
    }
  };
  const auto receive = [&] {
    PGresult* const got = PQgetResult(server);
    check(PQresultStatus(got) == PGRES_TUPLES_OK && PQgetlength(got, 0, 0) == page_size_bytes);
    PQclear(got);
    check(PQgetResult(server) == nullptr);
    return next++;
  };
  return keep_in_flight(s.blocks.size(), in_flight, send, receive);
}

run_result from_file(const pgbench_node& s) {
  const int file = open(s.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error("cannot open " + s.file.string());
  page into;
  size_t next = 0;
  auto result = keep_in_flight(
      s.blocks.size(), 1,
      [&](size_t i) {
        const auto at = static_cast<off_t>(size_t{s.blocks[i]} * page_size_bytes);
        if (pread(file, into.begin(), page_size_bytes, at) != ssize_t{page_size_bytes})
          throw std::runtime_error("cannot read " + s.file.string());
      },
      [&] { return next++; });
  close(file);
  return result;
}

/// The least that a round trip of this kind costs here: a thread that answers each request's bytes
/// with a page's, as soon as it has read them.
run_result from_echo(const pgbench_node& s) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error("cannot make a pair of sockets");
  std::thread peer([theirs = ends[1]] {
    std::array<std::byte, pages::request_size_bytes> asked;
    const page answer;
    while (recv(theirs, asked.data(), asked.size(), MSG_WAITALL) > 0)
      if (send(theirs, &answer, sizeof answer, MSG_NOSIGNAL) != ssize_t{sizeof answer}) break;
    close(theirs);
  });
  page into;
  size_t next = 0;
  auto result = keep_in_flight(
      s.blocks.size(), 1,
      [&](size_t) {
        const std::array<std::byte, pages::request_size_bytes> request{};
        if (send(ends[0], request.data(), request.size(), MSG_NOSIGNAL) < 0)
          throw std::runtime_error("the echo hung up");
      },
      [&] {
        if (recv(ends[0], into.begin(), sizeof into, MSG_WAITALL) != ssize_t{sizeof into})
          throw std::runtime_error("the echo hung up");
        return next++;
      });
  close(ends[0]);
  peer.join();
  return result;
}

size_t count_differences(const pgbench_node& s, const std::vector<page>& found) {
  const int file = open(s.file.c_str(), O_RDONLY | O_CLOEXEC);
  size_t differences = 0;
  for (block_number block = 0; block < found.size(); ++block) {
    page expected;
    page ours = found[block];
    if (pread(file, expected.begin(), page_size_bytes,
              static_cast<off_t>(size_t{block} * page_size_bytes)) != ssize_t{page_size_bytes})
      throw std::runtime_error("cannot read " + s.file.string());
    pg::mask_page(pg::resource_manager::heap, block, ours);
    pg::mask_page(pg::resource_manager::heap, block, expected);
    differences += ours.data == expected.data ? 0 : 1;
  }
  close(file);
  return differences;
}

enum class placing { free, one_processor };

/// A way of reading all pages, and what came out.
struct way {
  const char* name;
  placing where;
  int rounds;
  std::function<run_result()> read;
  std::vector<double> pages_per_s = {};
  std::vector<double> latency_us = {};
};

void run_round(const pgbench_node& s, int round, std::vector<way>& ways) {
  for (auto& one : ways) {
    if (round >= one.rounds) continue;
    std::optional<one_cpu> placed;
    if (one.where == placing::one_processor)
      placed.emplace(
          std::vector<pid_t>{s.repository.node_process(), s.repository.server_process("main")});
    const run_result got = one.read();
    one.pages_per_s.push_back(static_cast<double>(s.blocks.size()) / got.seconds);
    one.latency_us.insert(one.latency_us.end(), got.latency_us.begin(), got.latency_us.end());
  }
}

void print(const std::vector<way>& ways, const way& one_by_one, const way& piped) {
  fmt::print("{:<48} {:>34} {:>8} {:>8} {:>13} {:>11}\n", "", "pages/s, median (min to max)",
             "p50 us", "p99 us", "/ PostgreSQL", "/ pipeline");
  for (const auto& one : ways) {
    auto latency_us = one.latency_us;
    std::sort(latency_us.begin(), latency_us.end());
    const spread rate = spread_of(one.pages_per_s);
    fmt::print("{:<48} {:>34} {:>8.1f} {:>8.1f} {:>13.2f} {:>11.2f}\n", one.name, to_text(rate, 0),
               latency_us[latency_us.size() / 2], latency_us[latency_us.size() * 99 / 100],
               rate.median / spread_of(one_by_one.pages_per_s).median,
               rate.median / spread_of(piped.pages_per_s).median);
  }
}

int run_all(int argc, char** argv) {
  constexpr int rounds = 7;
  constexpr auto free = placing::free;
  constexpr auto together = placing::one_processor;
  const pgbench_node s(argc > 1 ? argv[1] : "10");
  std::vector<page> found(s.blocks.size());
  const auto node = [&s](size_t in_flight) {
    return [&s, in_flight] { return from_node(s, in_flight); };
  };
  const auto server = [&s](size_t in_flight) {
    return [&s, in_flight] { return from_server(s, in_flight); };
  };
  const auto echo = [&s] { return from_echo(s); };
  std::vector<way> ways{
      {"node, the first time, 1 in flight", free, 1, [&] { return from_node(s, 1, &found); }},
      {"node, 1 in flight", free, rounds, node(1)},
      {"PostgreSQL, 1 in flight", free, rounds, server(1)},
      {"a thread that echoes 8 KiB, 1 in flight", free, rounds, echo},
      {"node, 1 in flight, one processor", together, rounds, node(1)},
      {"PostgreSQL, 1 in flight, one processor", together, rounds, server(1)},
      {"a thread that echoes 8 KiB, one processor", together, rounds, echo},
      {"node, 16 in flight", free, rounds, node(16)},
      {"PostgreSQL, 16 in a pipeline", free, rounds, server(16)},
      {"pread of the file in the page cache", free, rounds, [&] { return from_file(s); }}};
  fmt::print("{}\n{} pages in random order\n", conditions(), s.blocks.size());
  from_server(s, 1);  // into its buffers
  for (int round = 0; round < rounds; ++round) run_round(s, round, ways);
  if (const size_t differences = count_differences(s, found); differences > 0)
    throw std::runtime_error(fmt::format("{} pages differ from the server's", differences));
  print(ways, ways[2], ways[8]);
  fmt::print("all {} pages of the first time equal the server's file, masked\n", found.size());
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_get_page: {}\n", failure.what());
    return 1;
  }
}
