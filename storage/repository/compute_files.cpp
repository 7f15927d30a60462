// What Zenith puts into a server's configuration.
#include "storage/repository/compute_files.hpp"

#include <fmt/format.h>

namespace zenith::repository {
namespace {

constexpr std::string_view include_line =
    "include_if_exists = 'zenith.conf'  # Zenith's own settings; keep this line last\n";

// A value in a configuration file: quoted, quotes doubled (guc-file.l).
std::string quoted(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += c;
    text += c;
  }
  return text + "'";
}

}  // namespace

std::string generated_configuration(const compute_settings& settings) {
  std::string text =
      "# Written by Zenith at each start; changes here are lost. Your own settings belong into\n"
      "# postgresql.conf or ALTER SYSTEM.\n";
  text += fmt::format("port = {}\n", settings.port);
  text += "listen_addresses = '127.0.0.1'\n";
  text += fmt::format("unix_socket_directories = {}\n", quoted(settings.socket_directory));
  text += "unix_socket_permissions = 0700\n";
  if (settings.access == access_mode::read_only) {
    text += "hot_standby = on\n";
    text += fmt::format(
        "max_connections = {}\nmax_worker_processes = {}\nmax_wal_senders = {}\n"
        "max_prepared_transactions = {}\nmax_locks_per_transaction = {}\n",
        settings.max_connections, settings.max_worker_processes, settings.max_wal_senders,
        settings.max_prepared_transactions, settings.max_locks_per_transaction);
    return text;
  }
  if (settings.commit == commit_mode::synchronous)
    text += fmt::format("synchronous_standby_names = {}\n",
                        quoted("\"" + settings.receiver_name + "\""));
  return text;
}

std::string with_include(std::string postgresql_conf) {
  postgresql_conf = without_include(postgresql_conf);
  if (!postgresql_conf.empty() && postgresql_conf.back() != '\n') postgresql_conf += '\n';
  return postgresql_conf + std::string(include_line);
}

std::string without_include(std::string_view postgresql_conf) {
  std::string text;
  while (!postgresql_conf.empty()) {
    const size_t end = postgresql_conf.find('\n');
    const std::string_view line =
        postgresql_conf.substr(0, end == std::string_view::npos ? end : end + 1);
    postgresql_conf.remove_prefix(line.size());
    if (!line.starts_with("include_if_exists = 'zenith.conf'")) text += line;
  }
  return text;
}

}  // namespace zenith::repository
