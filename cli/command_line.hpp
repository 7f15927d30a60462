// command_line: what a person typed, as data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace zenith::cli {

enum class command : uint8_t {
  init,
  start,
  stop,
  status,
  branch_list,
  branch_make,
  branch_delete,
  branch_rename,
  tag_list,
  tag_make,
  tag_delete,
  lsn,
  pg_create,
  pg_start,
  pg_stop,
  pg_list,
  pg_destroy,
  pg_psql,
  import,
  export_,
  page,
  verify,
  layer_dump,
  check,
  gc,
  compact,
  config,
};

/// One command with all that it may be given; what a command does not take stays as it is here.
struct command_line {
  command what = command::status;
  std::string repository;  ///< --repo; empty where it is not given
  bool json = false;

  std::string name;       ///< of a branch, tag or compute
  std::string new_name;   ///< branch --rename
  std::string point;      ///< empty where it is not given
  std::string directory;  ///< export's target, verify's data directory
  std::string relation;   ///< page: TBLSPC/DB/REL
  std::string fork;       ///< page
  uint32_t block = 0;     ///< page
  std::string file;       ///< page --out, layer dump's
  std::string conninfo;   ///< import --from, init --import
  std::string key;        ///< config
  std::optional<std::string> value;
  std::string pg_bin;  ///< init
  uint32_t wal_segment_mb = 16;
  bool data_checksums = false;
  uint16_t port = 0;    ///< pg create; 0: any
  bool keys = false;    ///< layer dump
  bool blocks = false;  ///< layer dump
  bool full = false;
  bool read_only = false;
  bool sync = false;
  bool start = false;
  bool immediate = false;
  bool force = false;
  bool erase = false;                  ///< branch and tag --delete
  bool rename = false;                 ///< branch --rename
  bool dry_run = false;                ///< gc
  std::vector<std::string> arguments;  ///< pg psql's, after --
};

/// Nothing to run: help, a version, a completion script, or wrong usage.
struct only_text {
  int exit_code = 0;  ///< 0, or 2 for wrong usage
  std::string output;
  std::string errors;
};

std::variant<command_line, only_text> parse_command_line(int argc, const char* const* argv);

}  // namespace zenith::cli
