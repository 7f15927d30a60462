// zenith's main: runs one command and prints its answer.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "cli/commands.hpp"
#include "cli/owner.hpp"

namespace {

namespace fs = std::filesystem;
using namespace zenith;
using namespace zenith::cli;

void print(std::FILE* where, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), where);
}

result<answer> ask_node(const fs::path& repository, node_client& node, const command_line& line) {
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
    case command::pg_psql:
      return run_pg_psql(repository, node, line);
    case command::export_:
      return run_export(repository, node, line);
    case command::page:
      return run_page(node, line);
    case command::verify:
      return run_verify(node, line);
    case command::gc:
      return run_gc(node, line);
    case command::compact:
      return run_compact(node, line);
    default:
      return fail(errc::unsupported, "this command needs no node");
  }
}

// Root stays root for what touches the caller's own files; the rest is done as the owner.
bool runs_as_caller(const command_line& line) {
  return line.what == command::page || line.what == command::pg_psql ||
         line.what == command::export_;
}

result<answer> run(command_line line) {
  if (line.what == command::import)
    return fail(errc::unsupported, "zenith import comes in a later version");
  if (line.what == command::init) return run_init(line);
  if (line.what == command::layer_dump) return run_layer_dump(line);
  ZENITH_TRY_ASSIGN(const fs::path repository, find_repository(line));
  // The node has another current directory, and its user may not be able to enter this one.
  if (!line.directory.empty()) line.directory = absolute_path(line.directory).string();
  if (!runs_as_caller(line)) ZENITH_TRY(become_owner_of(repository));
  switch (line.what) {
    case command::start:
      return run_start(repository);
    case command::stop:
      return run_stop(repository);
    case command::status:
      return run_status(repository);
    case command::config:
      return run_config(repository, line);
    case command::check:
      return run_check(repository);
    default:
      break;
  }
  ZENITH_TRY_ASSIGN(node_client node, node_client::connect(repository));
  return ask_node(repository, node, line);
}

// A message is one line, whatever it quotes.
std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

// A directory that `verify` cannot compare is wrong usage; all other failures are failures.
int exit_code_of(const command_line& line, const error& failure) {
  return line.what == command::verify && failure.code == errc::conflict ? 2 : 1;
}

int run_program(int argc, char** argv) {
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
    return exit_code_of(line, done.error());
  }
  // Who reads only the first lines ends this program quietly, as any other.
  signal(SIGPIPE, SIG_DFL);
  print(stdout, line.json ? done->value.text() + "\n" : done->text);
  return done->exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  int exit_code = 1;
  try {
    exit_code = run_program(argc, argv);
  } catch (const std::exception& unexpected) {
    print(stderr, "zenith: " + one_line(unexpected.what()) + "\n");
  }
  if (std::fflush(stdout) != 0 && exit_code == 0) {
    print(stderr, "zenith: cannot write the answer to standard output\n");
    exit_code = 1;
  }
  // CAF's own destruction can hang (its issue 1110) and adds nothing.
  _exit(exit_code);
}
