// Moving a node's server.
#include "tests/support/repository_host.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <signal.h>

#include <memory>
#include <stdexcept>

namespace zenith::testing {
namespace {

std::string in_quotes(std::string_view value) {
  std::string text = "'";
  for (const char c : value) text += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string{c};
  return text + "'";
}

}  // namespace

repository_host::repository_host(const zenith_repository& repository, std::string server)
    : repository_(repository), server_(std::move(server)), uri_(repository.conninfo(server_)) {}

std::string repository_host::conninfo(const std::string& database) const {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(uri_.c_str(), nullptr), PQconninfoFree);
  std::string text = "dbname=" + in_quotes(database);
  for (const PQconninfoOption* one = options.get(); one != nullptr && one->keyword != nullptr;
       ++one)
    if (one->val != nullptr && std::string_view(one->keyword) != "dbname")
      text += fmt::format(" {}={}", one->keyword, in_quotes(one->val));
  return text;
}

void repository_host::restart() {
  repository_.run_ok({"pg", "stop", server_});
  start();
}

void repository_host::crash() {
  const pid_t postmaster = repository_.server_process(server_);
  if (postmaster <= 1 || ::kill(postmaster, SIGKILL) != 0)
    throw std::runtime_error("there is no server " + server_ + " to kill");
  if (!wait_until([&] { return repository_.server_process(server_) == 0; }))
    throw std::runtime_error("the killed server " + server_ + " is still there");
  start();
}

// A killed server's children may hold its shared memory for a moment; PostgreSQL refuses until they
// are gone, and so does the node until it has seen the end.
void repository_host::start() {
  zenith_result last;
  if (!wait_until([&] {
        return (last = repository_.run({"pg", "start", server_})).exit_code == 0;
      }))
    throw std::runtime_error("zenith pg start " + server_ + ": " + last.errors);
  uri_ = repository_.conninfo(server_);
}

}  // namespace zenith::testing
