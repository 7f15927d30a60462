// zenith's main: runs one command and prints its answer.
#include <signal.h>

#include <cstdio>
#include <exception>
#include <string>

#include "cli/commands.hpp"
#include "cli/owner.hpp"

namespace {

using namespace zenith;
using namespace zenith::cli;

void print(std::FILE* where, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), where);
}

result<answer> ask_node(node_client& node, const command_line& line) {
  switch (line.what) {
    case command::branch_list:
      return run_branch_list(node);
    case command::branch_make:
      return run_branch_make(node, line);
    case command::branch_delete:
      return run_branch_delete(node, line);
    case command::branch_rename:
      return run_branch_rename(node, line);
    case command::tag_list:
      return run_tag_list(node);
    case command::tag_make:
      return run_tag_make(node, line);
    case command::tag_delete:
      return run_tag_delete(node, line);
    case command::lsn:
      return run_lsn(node, line);
    case command::pg_create:
      return run_pg_create(node, line);
    case command::pg_start:
      return run_pg_start(node, line);
    case command::pg_stop:
      return run_pg_stop(node, line);
    case command::pg_list:
      return run_pg_list(node);
    case command::pg_destroy:
      return run_pg_destroy(node, line);
    default:
      return fail(errc::unsupported, "this command comes in a later version");
  }
}

result<answer> run(const command_line& line) {
  if (line.what == command::init) return run_init(line);
  ZENITH_TRY_ASSIGN(const auto repository, find_repository(line));
  ZENITH_TRY(become_owner_of(repository));
  switch (line.what) {
    case command::start:
      return run_start(repository);
    case command::stop:
      return run_stop(repository);
    case command::status:
      return run_status(repository);
    default:
      break;
  }
  ZENITH_TRY_ASSIGN(node_client node, node_client::connect(repository));
  return ask_node(node, line);
}

// A message is one line, whatever it quotes.
std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  try {
    const auto parsed = parse_command_line(argc, argv);
    if (const auto* only = std::get_if<only_text>(&parsed)) {
      print(stdout, only->output);
      print(stderr, only->errors);
      return only->exit_code;
    }
    const auto& line = std::get<command_line>(parsed);
    const auto done = run(line);
    if (!done) {
      print(stderr, "zenith: " + one_line(done.error().message) + "\n");
      return 1;
    }
    print(stdout, line.json ? done->value.text() + "\n" : done->text);
    return done->exit_code;
  } catch (const std::exception& unexpected) {
    print(stderr, "zenith: " + one_line(unexpected.what()) + "\n");
    return 1;
  }
}
