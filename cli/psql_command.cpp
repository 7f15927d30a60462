// zenith pg psql: becomes psql, connected to a server.
#include <fmt/format.h>
#include <libpq-fe.h>
#include <linux/close_range.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cli/commands.hpp"

namespace zenith::cli {
namespace {

// The connection's parts go into psql's environment, so that its own arguments (a database, a user)
// still mean what they always mean.
result<void> set_environment(const std::string& uri) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(uri.c_str(), &message), PQconninfoFree);
  if (parsed == nullptr) {
    const std::string why = message == nullptr ? "" : message;
    PQfreemem(message);
    return fail(errc::corrupt, "the server's address cannot be read: " + why);
  }
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr && option->envvar != nullptr) setenv(option->envvar, option->val, 1);
  return {};
}

}  // namespace

result<answer> run_pg_psql(const std::filesystem::path& repository, node_client& node,
                           const command_line& line) {
  ZENITH_TRY_ASSIGN(const auto settings, read_settings(repository));
  ZENITH_TRY_ASSIGN(const auto computes, node.computes());
  const auto found = std::find_if(computes.begin(), computes.end(),
                                  [&](const auto& one) { return one.name == line.name; });
  if (found == computes.end())
    return fail(errc::not_found,
                fmt::format("there is no server '{}'; zenith pg list shows them", line.name));
  if (found->state != "running")
    return fail(errc::conflict, fmt::format("server {} is {}; start it with: zenith pg start {}",
                                            line.name, found->state, line.name));
  ZENITH_TRY(set_environment(found->uri));
  std::string program = settings.text("pg_bin") + "/psql";
  std::vector<char*> arguments{program.data()};
  for (const std::string& one : line.arguments) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  signal(SIGPIPE, SIG_DFL);
  close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  execv(program.c_str(), arguments.data());
  return fail(errc::io, fmt::format("cannot run {}: {}", program, std::strerror(errno)));
}

}  // namespace zenith::cli
