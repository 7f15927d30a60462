// zenithd's main: its arguments and its log.
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>

#include "actors/node/node.hpp"

namespace {

namespace fs = std::filesystem;

constexpr size_t log_size_bytes = 10 << 20;
constexpr size_t log_files = 3;

int usage() {
  std::cerr << "usage: zenithd REPOSITORY [--ready-fd N]\n"
               "Serves the repository until it is told to stop. Usually `zenith start` runs it.\n"
               "Without --ready-fd it logs to standard error, else to REPOSITORY/log/.\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::cout << "zenithd " ZENITH_VERSION "\n";
    return 0;
  }
  if (argc != 2 && !(argc == 4 && std::strcmp(argv[2], "--ready-fd") == 0)) return usage();
  const int ready = argc == 4 ? std::atoi(argv[3]) : -1;
  if (geteuid() == 0) {
    std::cerr << "zenithd: refuses to run as root; `zenith start` runs it as the repository's "
                 "owner\n";
    return 1;
  }
  std::error_code failure;
  const fs::path repository = fs::canonical(argv[1], failure);
  if (failure) {
    std::cerr << "zenithd: " << argv[1] << ": " << failure.message() << "\n";
    return 1;
  }
  try {
    if (ready >= 0) {
      fs::create_directories(repository / "log");
      spdlog::set_default_logger(spdlog::rotating_logger_mt(
          "zenithd", (repository / "log" / "zenithd.log").string(), log_size_bytes, log_files));
    } else {
      spdlog::set_default_logger(spdlog::stderr_logger_mt("zenithd"));
    }
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    spdlog::flush_on(spdlog::level::info);
    const auto served = zenith::actors::run_node(repository, ready);
    if (served) return 0;
    spdlog::error("{}", served.error().message);
    std::cerr << "zenithd: " << served.error().message << "\n";
  } catch (const std::exception& unexpected) {
    std::cerr << "zenithd: " << unexpected.what() << "\n";
  }
  return 1;
}
