// compute_files: what Zenith puts into a server's configuration, and what it keeps of it.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "storage/repository/metadata.hpp"

namespace zenith::repository {

/// The configuration files that a new server takes over from its branch's newest one.
inline constexpr std::array<const char*, 4> kept_configuration_files{
    "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"};

/// The generated file, and the line of postgresql.conf that includes it.
inline constexpr const char* generated_configuration_name = "zenith.conf";

struct compute_settings {
  std::string socket_directory;
  uint16_t port = 0;
  access_mode access = access_mode::read_write;
  commit_mode commit = commit_mode::asynchronous;
  std::string receiver_name;  ///< the receiver's application_name
  /// What pg_control requires of a hot standby (CheckRequiredParameterValues, xlogrecovery.c).
  int max_connections = 0;
  int max_worker_processes = 0;
  int max_wal_senders = 0;
  int max_prepared_transactions = 0;
  int max_locks_per_transaction = 0;
};

/// zenith.conf: only what Zenith needs. A read-only server gets the limits it cannot start without.
std::string generated_configuration(const compute_settings& settings);

/// postgresql.conf with the line that includes zenith.conf as its last one, so that it prevails.
std::string with_include(std::string postgresql_conf);
/// The same without it: for an export.
std::string without_include(std::string_view postgresql_conf);

}  // namespace zenith::repository
