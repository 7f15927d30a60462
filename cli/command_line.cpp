// The commands and their options as a CLI11 tree; the one file that compiles CLI11.
#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/help.hpp"

namespace zenith::cli {
namespace {

using app = CLI::App;

// A subcommand, which `what` becomes where it is the one that was typed.
app* add(app* parent, command_line& line, command what, const char* name, const char* text) {
  app* sub = parent->add_subcommand(name, text);
  sub->fallthrough();
  sub->parse_complete_callback([&line, what] { line.what = what; });
  return sub;
}

void add_node(app* root, command_line& line) {
  app* init = add(root, line, command::init, "init", "Make a repository with the branch main");
  init->add_option("--pg-bin", line.pg_bin, "The folder of PostgreSQL 15's programs")
      ->type_name("DIR");
  init->add_flag("--data-checksums", line.data_checksums, "Checksums on all data pages");
  init->add_option("--wal-segsize", line.wal_segment_mb, "WAL segment size in MB, 1 to 1024")
      ->type_name("MB")
      ->check([](const std::string& text) -> std::string {
        const bool fits = text.size() <= 4 && std::all_of(text.begin(), text.end(), [](char c) {
                            return c >= '0' && c <= '9';
                          });
        const int value = fits && !text.empty() ? std::stoi(text) : 0;
        return value >= 1 && value <= 1024 && (value & (value - 1)) == 0
                   ? ""
                   : "a power of 2 from 1 to 1024 is expected, not " + text;
      });
  init->add_option("--import", line.conninfo, "Copy a running server, and follow it")
      ->type_name("CONNINFO");
  add(root, line, command::start, "start", "Start the node");
  add(root, line, command::stop, "stop", "Stop the node and all of its servers");
  add(root, line, command::status, "status", "Show the node and its timelines");
  app* config = add(root, line, command::config, "config", "Show and set the settings");
  config->add_option("key", line.key, "A setting's name")->type_name("KEY");
  config->add_option("value", line.value, "Its new value")->type_name("VALUE");
}

void add_history(app* root, command_line& line) {
  app* branch = root->add_subcommand("branch", "List, make, delete and rename branches");
  branch->fallthrough();
  branch->add_option("name", line.name, "The branch")->type_name("NAME");
  branch->add_option("point", line.point, "Where it starts (default: main)")->type_name("POINT");
  auto* erase = branch->add_flag("-d,--delete", line.erase, "Delete the branch NAME");
  auto* rename = branch->add_flag("-m,--rename", line.rename, "Rename: branch --rename OLD NEW");
  branch->add_flag("-f,--force", line.force, "With --delete: stop a server that runs on it");
  erase->excludes(rename);
  branch->parse_complete_callback([&line] {
    if (line.rename) {
      if (line.point.empty()) throw CLI::ValidationError("--rename needs two names: OLD NEW");
      line.what = command::branch_rename;
      line.new_name = std::exchange(line.point, {});
    } else if (line.erase) {
      if (line.name.empty()) throw CLI::ValidationError("--delete needs a branch's name");
      if (!line.point.empty()) throw CLI::ValidationError("--delete takes one name");
      line.what = command::branch_delete;
    } else {
      if (line.force) throw CLI::ValidationError("--force goes with --delete");
      line.what = line.name.empty() ? command::branch_list : command::branch_make;
    }
  });

  app* tag = root->add_subcommand("tag", "List, make and delete tags");
  tag->fallthrough();
  tag->add_option("name", line.name, "The tag")->type_name("NAME");
  tag->add_option("point", line.point, "What it names (default: main's end)")->type_name("POINT");
  tag->add_flag("-d,--delete", line.erase, "Delete the tag NAME");
  tag->parse_complete_callback([&line] {
    if (line.erase) {
      if (line.name.empty()) throw CLI::ValidationError("--delete needs a tag's name");
      if (!line.point.empty()) throw CLI::ValidationError("--delete takes one name");
      line.what = command::tag_delete;
    } else {
      line.what = line.name.empty() ? command::tag_list : command::tag_make;
    }
  });

  app* lsn = add(root, line, command::lsn, "lsn", "Show what a point stands for");
  lsn->add_option("point", line.point, "NAME, NAME@LSN or NAME@TIME")
      ->type_name("POINT")
      ->required();
}

void add_servers(app* root, command_line& line) {
  app* pg = root->add_subcommand("pg", "Make, start and stop PostgreSQL servers");
  pg->fallthrough();
  pg->require_subcommand(1);
  const auto name_of = [&](app* sub) {
    sub->add_option("name", line.name, "The server's name")->type_name("NAME")->required();
  };
  app* create = add(pg, line, command::pg_create, "create", "Make a server on a branch or point");
  name_of(create);
  create
      ->add_option("point", line.point,
                   "What it starts from (default: the branch called NAME, else main)")
      ->type_name("POINT");
  create->add_option("--port", line.port, "Its TCP port on 127.0.0.1 (default: a free one)")
      ->type_name("N");
  create->add_flag("--full", line.full, "Copy all relation files at once");
  create->add_flag("--read-only", line.read_only, "A server that only reads, at any point");
  create->add_flag("--sync", line.sync, "A commit returns once the node has it durably");
  create->add_flag("--start", line.start, "Start it too");
  name_of(add(pg, line, command::pg_start, "start", "Start a server"));
  app* stop = add(pg, line, command::pg_stop, "stop", "Stop a server");
  name_of(stop);
  stop->add_flag("--immediate", line.immediate, "At once, as after a crash");
  add(pg, line, command::pg_list, "list", "List the servers");
  app* destroy = add(pg, line, command::pg_destroy, "destroy", "Remove a server and its files");
  name_of(destroy);
  destroy->add_flag("-f,--force", line.force, "Also where the node lacks some of its WAL");
  app* psql = add(pg, line, command::pg_psql, "psql", "Run psql on a server");
  name_of(psql);
  psql->add_option("arguments", line.arguments, "psql's own, after --")->type_name("ARGS");
}

void add_data(app* root, command_line& line) {
  app* import = add(root, line, command::import, "import", "Copy a running server and follow it");
  import->add_option("name", line.name, "The new branch")->type_name("NAME")->required();
  import->add_option("--from", line.conninfo, "How to connect to it")
      ->type_name("CONNINFO")
      ->required();
  const auto point_of = [&](app* sub) {
    sub->add_option("point", line.point, "NAME, NAME@LSN or NAME@TIME")
        ->type_name("POINT")
        ->required();
  };
  app* exported = add(root, line, command::export_, "export", "Write a plain data directory");
  point_of(exported);
  exported->add_option("directory", line.directory, "A new or empty directory")
      ->type_name("DIR")
      ->required();
  app* page = add(root, line, command::page, "page", "Read one page as of a point");
  point_of(page);
  page->add_option("relation", line.relation, "Tablespace, database and relfilenode numbers")
      ->type_name("TBLSPC/DB/REL")
      ->required();
  page->add_option("fork", line.fork, "main, fsm, vm or init")
      ->type_name("FORK")
      ->required()
      ->check(CLI::IsMember({"main", "fsm", "vm", "init"}));
  page->add_option("block", line.block, "The block's number, from 0")
      ->type_name("BLOCK")
      ->required();
  page->add_option("--out", line.file, "Write the 8192 bytes to this file")->type_name("FILE");
  app* verify =
      add(root, line, command::verify, "verify", "Compare a point with a stopped server's files");
  point_of(verify);
  verify->add_option("directory", line.directory, "Its data directory")
      ->type_name("DATADIR")
      ->required();
  app* gc = add(root, line, command::gc, "gc", "Remove what nothing needs any more");
  gc->add_flag("--dry-run", line.dry_run, "Only say what would go");
  app* compact = add(root, line, command::compact, "compact", "Merge a branch's layers");
  compact->add_option("branch", line.name, "The branch")->type_name("BRANCH")->required();
}

}  // namespace

std::variant<command_line, only_text> parse_command_line(int argc, const char* const* argv) {
  command_line line;
  app root{"Branchable, time-travelling storage for stock PostgreSQL 15", "zenith"};
  root.add_option("--repo", line.repository, "The directory that holds .zenith")->type_name("DIR");
  root.add_flag("--json", line.json, "Print one JSON value");
  root.set_version_flag("--version", "zenith " ZENITH_VERSION);
  root.require_subcommand(1);
  add_node(&root, line);
  add_history(&root, line);
  add_servers(&root, line);
  add_data(&root, line);
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    return only_text{0, "zenith " ZENITH_VERSION "\n", ""};
  } catch (const CLI::CallForHelp&) {
    return only_text{0, root.help(), ""};
  } catch (const CLI::Error& wrong) {
    return only_text{2, "", std::string("zenith: ") + wrong.what() + "\n"};
  }
  return line;
}

}  // namespace zenith::cli
