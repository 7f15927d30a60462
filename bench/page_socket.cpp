// Hot pages over the page service's socket, against a bare server that knows one page only.
//
// Both are processes of their own; the same client asks them for the same number of pages, one at a
// time, and 16 at a time on 4 connections. What the node is asked for lies in its page cache.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>

#include "bench/support/figures.hpp"
#include "bench/support/one_cpu.hpp"
#include "bench/support/pgbench_node.hpp"
#include "bench/support/raw_stream.hpp"

namespace zenith::bench {
namespace {

constexpr size_t connections = 4;
constexpr size_t in_flight_each = 4;  // 16 in all
constexpr size_t asked_each_round = 40'000;

struct server {
  const char* name;
  std::filesystem::path socket;
  std::string timeline;  // empty: the bare one
  pid_t process;
};

/// What rounds of one server in one placing came to.
struct figures {
  std::vector<double> p50_us;
  std::vector<double> p99_us;
  std::vector<double> pages_per_s;       // one at a time
  std::vector<double> pages_per_s_many;  // 16 at a time
};

std::vector<raw_request> requests_for(const pgbench_node& node, size_t different) {
  std::vector<raw_request> all(asked_each_round);
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = encode_raw({pages::request_kind::get_page, i, node.at, node.relation,
                         fork_number::main, node.blocks[i % different]});
  return all;
}

void run_alone(const server& which, const std::vector<raw_request>& requests, figures& into) {
  raw_stream stream(which.socket, which.timeline);
  const stopwatch watch;
  auto latency_us = stream.ask_all(requests, 1);
  into.pages_per_s.push_back(static_cast<double>(requests.size()) / watch.seconds());
  std::ranges::sort(latency_us);
  into.p50_us.push_back(latency_us[latency_us.size() / 2]);
  into.p99_us.push_back(latency_us[latency_us.size() * 99 / 100]);
}

void run_many(const server& which, const std::vector<raw_request>& requests, figures& into) {
  std::vector<std::unique_ptr<raw_stream>> streams;
  for (size_t i = 0; i < connections; ++i)
    streams.push_back(std::make_unique<raw_stream>(which.socket, which.timeline));
  const stopwatch watch;
  {
    std::vector<std::jthread> threads;
    for (const auto& one : streams)
      threads.emplace_back([&one, &requests] { one->ask_all(requests, in_flight_each); });
  }
  into.pages_per_s_many.push_back(static_cast<double>(connections * requests.size()) /
                                  watch.seconds());
}

void print(const std::string& title, const std::vector<server>& servers,
           const std::vector<figures>& all) {
  struct column {
    const char* name;
    std::vector<double> figures::*of;
    int decimals;
  };
  constexpr column columns[] = {{"p50 us", &figures::p50_us, 1},
                                {"p99 us", &figures::p99_us, 1},
                                {"pages/s", &figures::pages_per_s, 0},
                                {"pages/s, 16 in flight", &figures::pages_per_s_many, 0}};
  fmt::print("{}\n{:<27}", title, "median (min to max)");
  for (const column& one : columns) fmt::print(" {:>27}", one.name);
  for (size_t i = 0; i < servers.size(); ++i) {
    fmt::print("\n{:<27}", servers[i].name);
    for (const column& one : columns)
      if (const auto& found = all[i].*one.of; !found.empty())
        fmt::print(" {:>27}", to_text(spread_of(found), one.decimals));
  }
  fmt::print("\n{:<27}", "  the node's / the bare one's");
  for (const column& one : columns)
    if (const auto& found = all[1].*one.of; !found.empty())
      fmt::print(" {:>27.2f}", spread_of(found).median / spread_of(all[0].*one.of).median);
  fmt::print("\n");
}

void run_all(int argc, char** argv) {
  const int rounds = argc > 2 ? std::stoi(argv[2]) : 9;
  const pgbench_node node(argc > 1 ? argv[1] : "10");
  const auto bare_socket = node.repository.scratch() / "bare.sock";
  const pid_t bare =
      testing::start({"/proc/self/exe", "--bare", bare_socket.string()},
                     node.repository.scratch() / "bare.log", testing::run_as::myself);
  if (!testing::wait_until([&] { return std::filesystem::exists(bare_socket); }))
    throw std::runtime_error("the bare server did not start");
  const std::vector<server> servers{
      {"bare server, one page", bare_socket, "", bare},
      {"node", node.socket, node.timeline, node.repository.node_process()}};
  fmt::print("{}\n", conditions());
  for (const size_t different : {size_t{1000}, node.blocks.size()}) {
    const auto requests = requests_for(node, different);
    figures warm_up;
    run_alone(servers[1], requests, warm_up);
    for (const bool together : {true, false}) {
      std::vector<figures> all(servers.size());
      for (int round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < servers.size(); ++i) {
          std::optional<one_cpu> placed;
          if (together) placed.emplace(std::vector<pid_t>{servers[0].process, servers[1].process});
          run_alone(servers[i], requests, all[i]);
          if (!together) run_many(servers[i], requests, all[i]);
        }
      }
      print(fmt::format("{} different pages of the node's, {}", different,
                        together ? "client and server on one processor" : "placed freely"),
            servers, all);
    }
  }
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    if (argc == 3 && std::string_view(argv[1]) == "--bare") zenith::bench::serve_one_page(argv[2]);
    zenith::bench::run_all(argc, argv);
    return 0;
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_page_socket: {}\n", failure.what());
    return 1;
  }
}
