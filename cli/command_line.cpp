// The commands and their options as a CLI11 tree; the one file that compiles CLI11.
#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

#include "cli/completion.hpp"
#include "cli/help.hpp"
#include "cli/suggest.hpp"

namespace zenith::cli {
namespace {

using app = CLI::App;

constexpr const char* point_footer =
    "A POINT is NAME, NAME@LSN or NAME@TIME; NAME is a branch, a tag or a timeline id.";

// A subcommand, which `what` becomes where it is the one that was typed.
app* add(app* parent, command_line& line, command what, const char* name, const char* text) {
  app* sub = parent->add_subcommand(name, text);
  sub->fallthrough();
  sub->parse_complete_callback([&line, what] { line.what = what; });
  return sub;
}

// A positional argument, named as it is shown. An empty one, as an unset variable of a script gives
// it, would pass for none.
template <class Value>
CLI::Option* add_argument(app* sub, const char* name, Value& value, const char* text) {
  CLI::Option* added = sub->add_option(name, value, text)->type_name("");
  if constexpr (std::is_same_v<Value, std::string>)
    added->check([](const std::string& typed) {
      return typed.empty() ? std::string("is empty; leave it out, or give one") : std::string();
    });
  return added;
}

std::string check_segment_size(const std::string& text) {
  const bool is_number =
      !text.empty() && text.size() <= 4 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int value = is_number ? std::stoi(text) : 0;
  const bool fits = value >= 1 && value <= 1024 && (value & (value - 1)) == 0;
  return fits ? "" : "a power of 2 from 1 to 1024 is expected, not " + text;
}

void add_node(app* root, command_line& line) {
  app* init = add(root, line, command::init, "init",
                  "Make a repository (.zenith) with the branch main, a fresh cluster");
  init->add_option("--pg-bin", line.pg_bin, "The folder of PostgreSQL 15's programs")
      ->type_name("DIR");
  init->add_flag("--data-checksums", line.data_checksums, "Checksums on all data pages");
  init->add_option("--wal-segsize", line.wal_segment_mb, "WAL segment size, 1 to 1024 (default 16)")
      ->type_name("MB")
      ->check(check_segment_size);
  init->add_option("--import", line.conninfo, "Copy a running server instead, and follow it")
      ->type_name("CONNINFO");
  init->footer("Needs no node and starts none. The place is --repo, $ZENITH_REPO, or here.");
  add(root, line, command::start, "start", "Start the node; returns once it serves");
  add(root, line, command::stop, "stop",
      "Stop the node; returns once its servers are stopped and all is durable");
  add(root, line, command::status, "status", "Show the node and its timelines");
  app* config =
      add(root, line, command::config, "config", "Show all settings, show one, or set one");
  add_argument(config, "KEY", line.key, "A setting's name");
  add_argument(config, "VALUE", line.value,
               "Its new value; a running node takes it when it starts");
  config
      ->add_option("--branch", line.name,
                   "Of this branch alone, at once: history_window, history_size, wal_keep_time, "
                   "wal_keep_size; an empty VALUE gives it the node's again")
      ->type_name("NAME");
}

void check_branch(command_line& line) {
  if (line.erase && line.rename)
    throw CLI::ValidationError("--delete and --rename exclude each other");
  if (line.force && !line.erase) throw CLI::ValidationError("--force goes with --delete");
  if (line.rename) {
    if (line.point.empty()) throw CLI::ValidationError("--rename needs two names: OLD NEW");
    line.what = command::branch_rename;
    line.new_name = std::exchange(line.point, {});
  } else if (line.erase) {
    if (line.name.empty()) throw CLI::ValidationError("--delete needs a branch's name");
    if (!line.point.empty()) throw CLI::ValidationError("--delete takes one name");
    line.what = command::branch_delete;
  } else {
    line.what = line.name.empty() ? command::branch_list : command::branch_make;
  }
}

void check_tag(command_line& line) {
  if (line.erase) {
    if (line.name.empty()) throw CLI::ValidationError("--delete needs a tag's name");
    if (!line.point.empty()) throw CLI::ValidationError("--delete takes one name");
    line.what = command::tag_delete;
  } else {
    line.what = line.name.empty() ? command::tag_list : command::tag_make;
  }
}

void add_history(app* root, command_line& line) {
  app* branch = root->add_subcommand("branch", "List, make, delete and rename branches");
  branch->fallthrough();
  add_argument(branch, "NAME", line.name, "The branch; none: list all, as a tree");
  add_argument(branch, "POINT", line.point, "Where it starts (default: main)");
  branch->add_flag("-d,--delete", line.erase, "Delete the branch NAME");
  branch->add_flag("-m,--rename", line.rename, "Rename: branch --rename OLD NEW");
  branch->add_flag("-f,--force", line.force, "With --delete: stop a server that runs on it");
  branch->footer(std::string(point_footer) +
                 "\nExamples\n"
                 "  zenith branch trial                             main as it is now\n"
                 "  zenith branch before main@2026-11-22T10:00:00Z  main as it was then\n"
                 "  zenith branch again trial@0/1A2B3C8             another branch's past\n"
                 "  zenith branch --delete trial");
  branch->parse_complete_callback([&line] { check_branch(line); });

  app* tag = root->add_subcommand("tag", "List, make and delete tags: names that never move");
  tag->fallthrough();
  add_argument(tag, "NAME", line.name, "The tag; none: list all");
  add_argument(tag, "POINT", line.point, "What it names (default: main's end)");
  tag->add_flag("-d,--delete", line.erase, "Delete the tag NAME");
  tag->footer(point_footer);
  tag->parse_complete_callback([&line] { check_tag(line); });

  app* lsn = add(root, line, command::lsn, "lsn", "Show what a point stands for");
  add_argument(lsn, "POINT", line.point, "The point")->required();
  lsn->footer(point_footer);
}

void add_servers(app* root, command_line& line) {
  app* pg = root->add_subcommand("pg", "Make, start and stop PostgreSQL servers");
  pg->fallthrough();
  pg->require_subcommand(1);
  const auto name_of = [&](app* sub) {
    add_argument(sub, "NAME", line.name, "The server's name")->required();
  };
  app* create = add(pg, line, command::pg_create, "create", "Make a server on a branch or point");
  name_of(create);
  add_argument(create, "POINT", line.point,
               "What it starts from (default: the branch called NAME, else main)");
  create->add_option("--port", line.port, "Its TCP port on 127.0.0.1 (default: a free one)")
      ->type_name("N");
  create->add_flag("--full", line.full, "Copy all relation files at once");
  create->add_flag("--read-only", line.read_only, "A server that only reads, at any point");
  create->add_flag("--sync", line.sync, "A commit returns once the node has it durably");
  create->add_flag("--start", line.start, "Start it too");
  create->footer(point_footer);
  name_of(add(pg, line, command::pg_start, "start", "Start a server"));
  app* stop = add(pg, line, command::pg_stop, "stop",
                  "Stop a server; returns once the node has all of its WAL");
  name_of(stop);
  stop->add_flag("--immediate", line.immediate, "At once, as after a crash");
  add(pg, line, command::pg_list, "list", "List the servers");
  app* destroy = add(pg, line, command::pg_destroy, "destroy", "Remove a server and its files");
  name_of(destroy);
  destroy->add_flag("-f,--force", line.force, "Also where the node lacks some of its WAL");
  app* psql = add(pg, line, command::pg_psql, "psql", "Run psql on a server");
  name_of(psql);
  add_argument(psql, "ARGS", line.arguments, "psql's own arguments, after --");
  psql->footer("Example\n  zenith pg psql main -- -c 'select 1'");
}

void add_data(app* root, command_line& line) {
  app* import =
      add(root, line, command::import, "import", "Copy a running server and follow it (later)");
  add_argument(import, "NAME", line.name, "The new branch")->required();
  import->add_option("--from", line.conninfo, "How to connect to it")->type_name("CONNINFO");
  app* exported = add(root, line, command::export_, "export",
                      "Write a plain data directory, which stock pg_ctl starts");
  add_argument(exported, "POINT", line.point, "As of when")->required();
  add_argument(exported, "DIR", line.directory, "A new or empty directory")->required();
  exported->footer(point_footer);
  app* page = add(root, line, command::page, "page", "Read one page's raw 8192 bytes");
  add_argument(page, "POINT", line.point, "As of when")->required();
  add_argument(page, "TBLSPC/DB/REL", line.relation, "Tablespace, database and relfilenode numbers")
      ->required();
  add_argument(page, "FORK", line.fork, "main, fsm, vm or init")
      ->required()
      ->check(CLI::IsMember({"main", "fsm", "vm", "init"}));
  add_argument(page, "BLOCK", line.block, "The block's number, from 0")->required();
  page->add_option("--out", line.file, "Write to this file (default: standard output)")
      ->type_name("FILE");
  page->footer(point_footer);
  app* verify =
      add(root, line, command::verify, "verify", "Compare a point with a stopped server's files");
  add_argument(verify, "POINT", line.point, "As of when")->required();
  add_argument(verify, "DATADIR", line.directory,
               "The data directory of a server of the same history, stopped after a checkpoint")
      ->required();
  verify->footer("Exit code 1 on any mismatch, 2 for a directory that cannot be compared.");
  add(root, line, command::check, "check", "Read every file of the repository, and find damage")
      ->footer("Needs no node. Exit code 1 where anything is damaged.");
  app* gc = add(root, line, command::gc, "gc", "Remove history that nothing needs");
  gc->add_flag("--dry-run", line.dry_run, "Only say what would go, and why the rest stays");
  app* compact = add(root, line, command::compact, "compact", "Merge a branch's layers");
  add_argument(compact, "BRANCH", line.name, "The branch")->required();
}

void add_layers(app* root, command_line& line) {
  app* layer = root->add_subcommand("layer", "Look into layer files");
  layer->fallthrough();
  layer->require_subcommand(1);
  app* dump = add(layer, line, command::layer_dump, "dump",
                  "Show a layer file: its header, its index, a line for each version");
  add_argument(dump, "FILE", line.file, "The file, such as .zenith/timelines/ID/layers/base.image")
      ->required();
  CLI::Option* keys = dump->add_flag("--keys", line.keys, "A line for each key instead");
  CLI::Option* blocks = dump->add_flag("--blocks", line.blocks, "A line for each block instead");
  keys->excludes(blocks);
  dump->footer("Needs no node and no repository. Exit code 1 where the file is damaged.");
}

bool is_public_option(const CLI::Option* option) {
  return !option->get_positional() && !option->get_lnames().empty();
}

void collect(const app* one, const std::string& path, std::vector<completable>& into) {
  completable entry{path, {}};
  const auto children = one->get_subcommands([](const app*) { return true; });
  for (const app* child : children) entry.words.push_back(child->get_name());
  for (const CLI::Option* option : one->get_options(is_public_option))
    entry.words.push_back("--" + option->get_lnames()[0]);
  into.push_back(entry);
  for (const app* child : children)
    collect(child, path.empty() ? child->get_name() : path + " " + child->get_name(), into);
}

std::vector<std::string> names_of_commands(const app& parent) {
  std::vector<std::string> names;
  for (const app* sub : parent.get_subcommands([](const app*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

only_text wrong_usage(const std::string& message) { return {2, "", "zenith: " + message + "\n"}; }

// A word where one of the parent's commands has to stand.
only_text unknown_command(const app& parent, const std::string& typed, const std::string& path) {
  const std::string meant = nearest(typed, names_of_commands(parent));
  const std::string help = path.empty() ? "zenith help" : "zenith help " + path;
  return wrong_usage("there is no command '" + (path.empty() ? "" : path + " ") + typed + "'" +
                     (meant.empty() ? "" : "; did you mean '" + meant + "'?") + " (" + help +
                     " lists them)");
}

// Finds a misspelt command before CLI11 takes it for an argument too many.
std::optional<only_text> find_unknown_command(const app& root, int argc, const char* const* argv) {
  const app* parent = &root;
  std::string path;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--repo") ++i;
    if (word.starts_with("-")) continue;
    const auto names = names_of_commands(*parent);
    if (std::find(names.begin(), names.end(), word) == names.end())
      return unknown_command(*parent, word, path);
    if (word != "pg" && word != "layer") return std::nullopt;
    parent = parent->get_subcommand(word);
    path = word;
  }
  return std::nullopt;
}

app* find_command(app& parent, const std::string& name) {
  for (app* sub : parent.get_subcommands([](app*) { return true; }))
    if (sub->get_name() == name) return sub;
  return nullptr;
}

only_text help_on(app& root, const std::vector<std::string>& words) {
  app* at = &root;
  std::string path;
  for (const std::string& word : words) {
    app* next = find_command(*at, word);
    if (next == nullptr) return unknown_command(*at, word, path);
    at = next;
    path += (path.empty() ? "" : " ") + word;
  }
  if (at == &root) return {0, front_page(), ""};
  const size_t last = path.rfind(' ');
  return {0, at->help(last == std::string::npos ? "zenith" : "zenith " + path.substr(0, last)), ""};
}

}  // namespace

std::variant<command_line, only_text> parse_command_line(int argc, const char* const* argv) {
  command_line line;
  app root{"Branchable, time-travelling storage for stock PostgreSQL 15", "zenith"};
  root.add_option("--repo", line.repository, "The directory that holds .zenith")->type_name("DIR");
  root.add_flag("--json", line.json, "Print one JSON value");
  root.set_version_flag("--version", "zenith " ZENITH_VERSION);
  root.require_subcommand(1);
  root.get_formatter()->label("REQUIRED", "");
  add_node(&root, line);
  add_history(&root, line);
  add_servers(&root, line);
  add_data(&root, line);
  add_layers(&root, line);
  std::vector<std::string> help_words;
  app* help = root.add_subcommand("help", "Show the commands, or what one does");
  add_argument(help, "COMMAND", help_words, "A command");
  std::string shell;
  app* completion = root.add_subcommand("completion", "Print the shell's completion script");
  add_argument(completion, "SHELL", shell, "bash")->required()->check(CLI::IsMember({"bash"}));

  if (argc <= 1) return only_text{2, "", front_page()};
  if (auto unknown = find_unknown_command(root, argc, argv)) return *unknown;
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    return only_text{0, "zenith " ZENITH_VERSION "\n", ""};
  } catch (const CLI::CallForHelp&) {
    std::vector<std::string> words;
    for (app* at = &root; !at->get_subcommands().empty();) {
      at = at->get_subcommands()[0];
      words.push_back(at->get_name());
    }
    return help_on(root, words);
  } catch (const CLI::RequiredError& wrong) {
    const auto typed = root.get_subcommands();
    const std::string name = typed.empty() ? "" : typed[0]->get_name();
    const bool is_bare_group =
        (name == "pg" || name == "layer") && typed[0]->get_subcommands().empty();
    return wrong_usage(is_bare_group
                           ? name + " needs a command (zenith help " + name + " lists them)"
                           : std::string(wrong.what()));
  } catch (const CLI::Error& wrong) {
    return wrong_usage(wrong.what());
  }
  if (help->parsed()) return help_on(root, help_words);
  if (completion->parsed()) {
    std::vector<completable> commands;
    collect(&root, "", commands);
    return only_text{0, bash_completion(commands), ""};
  }
  return line;
}

}  // namespace zenith::cli
