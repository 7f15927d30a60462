// file_names: what the files of a data directory are called (relpath.c, slru.c, twophase.c).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/ids.hpp"
#include "storage/base/key.hpp"
#include "storage/postgres/slru.hpp"

namespace zenith::backup {

inline constexpr uint32_t default_tablespace = 1663;  ///< pg_tablespace.dat, pg_default
inline constexpr uint32_t global_tablespace = 1664;   ///< pg_tablespace.dat, pg_global
/// RELSEG_SIZE: a relation's file holds so many blocks at most, the rest goes on in FILE.1, ...
inline constexpr uint32_t blocks_per_segment = 131072;
using pg::slru_pages_per_segment;

/// A database's directory as seen from one tablespace: "base/5", "global" (of database 0),
/// "pg_tblspc/16400/PG_15_202209061/5".
std::string database_directory(uint32_t tablespace, uint32_t database);
/// "pg_tblspc/16400/PG_15_202209061" (relpath.h, TABLESPACE_VERSION_DIRECTORY).
std::string tablespace_version_directory(uint32_t tablespace);

/// One file of a fork, without its directory.
struct relation_file {
  uint32_t relfilenode = 0;
  fork_number fork = fork_number::main;
  uint32_t segment = 0;

  bool operator==(const relation_file&) const = default;
};
/// "16384", "16384_vm", "16384.1", "16384_fsm.2".
std::string to_string(const relation_file& name);
/// None for everything else that lies in a database's directory (temporary relations "t3_16384",
/// "PG_VERSION", "pg_filenode.map", "pg_internal.init").
std::optional<relation_file> parse_relation_file(std::string_view name);

/// "pg_xact/0000". Five digits and more where the number needs them (slru.c, SlruFileName).
std::string slru_file(slru_kind slru, uint32_t segment);
std::optional<uint32_t> parse_slru_file(std::string_view name);

/// "000002F1", in pg_twophase (twophase.c, TwoPhaseFilePath).
std::string two_phase_file(uint32_t xid);
std::optional<uint32_t> parse_two_phase_file(std::string_view name);

/// "00000002.history" (xlog_internal.h, TLHistoryFileName).
std::string history_file(pg_timeline timeline);

/// Digits only, no sign, no leading zero, within 32 bits.
std::optional<uint32_t> parse_oid(std::string_view text);

}  // namespace zenith::backup
