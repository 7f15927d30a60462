// A compute's files.
#include "actors/compute_directory.hpp"

#include "actors/clock.hpp"
#include "storage/backup/base_backup.hpp"
#include "storage/backup/directory_sink.hpp"
#include "storage/backup/tar_sink.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/repository/compute_files.hpp"
#include "storage/repository/kept_configuration.hpp"

namespace zenith::actors {
namespace {

namespace fs = std::filesystem;
using repository::access_mode;
using repository::compute_settings;

constexpr uint64_t configuration_file_bytes_max = 16 << 20;

result<std::string> read_text(const fs::path& name) {
  ZENITH_TRY_ASSIGN(const bytes data,
                    read_file(posix_file_system(), name, configuration_file_bytes_max));
  return std::string(as_text(data));
}

backup::base_backup_options options_of(const repository::start_plan& plan) {
  backup::base_backup_options options;
  options.at = plan.at;
  options.previous_record = plan.previous;
  options.timeline = plan.decision.number;
  for (size_t i = 0; i + 1 < plan.history.size(); ++i)
    options.history.push_back({plan.history[i].number, plan.history[i + 1].start});
  options.start = plan.decision.append_checkpoint ? backup::start_record::appended_checkpoint
                                                  : backup::start_record::last_checkpoint;
  options.kind = plan.purpose == repository::start_purpose::read ? backup::server_kind::read_only
                                                                 : backup::server_kind::writable;
  options.now = now();
  return options;
}

}  // namespace

result<void> write_data_directory(const compute_parameters& how,
                                  const repository::start_plan& plan) {
  file_system& files = posix_file_system();
  const fs::path target = how.directory / "pgdata";
  const fs::path tablespaces = how.directory / "tablespaces";
  ZENITH_TRY(files.remove_all(target));
  ZENITH_TRY(files.remove_all(tablespaces));
  ZENITH_TRY(files.create_directories(tablespaces));
  backup::base_backup_options options = options_of(plan);
  ZENITH_TRY_ASSIGN(options.extra_files,
                    repository::newest_configuration(files, how.configuration_sources));
  ZENITH_TRY_ASSIGN(
      auto sink,
      backup::directory_sink::create(
          files, target, {tablespaces, backup::directory_sink_options::durability::synced}));
  ZENITH_TRY(backup::write_base_backup(*plan.view, plan.wal.get(), options, *sink));
  return {};
}

result<uint64_t> write_plain_directory(const fs::path& target,
                                       const std::vector<fs::path>& configuration,
                                       const repository::start_plan& plan) {
  file_system& files = posix_file_system();
  backup::base_backup_options options = options_of(plan);
  ZENITH_TRY_ASSIGN(options.extra_files, repository::newest_configuration(files, configuration));
  for (backup::extra_file& one : options.extra_files)
    if (one.name == "postgresql.conf") one.contents = repository::without_include(one.contents);
  // Tablespaces lie in place, so that the directory is whole wherever it is moved.
  ZENITH_TRY_ASSIGN(
      auto sink,
      backup::directory_sink::create(
          files, target, {std::nullopt, backup::directory_sink_options::durability::synced}));
  ZENITH_TRY_ASSIGN(const auto summary,
                    backup::write_base_backup(*plan.view, plan.wal.get(), options, *sink));
  return summary.bytes;
}

result<void> write_plain_tar(const repository::start_plan& plan,
                             const std::function<result<void>(byte_view)>& out) {
  const backup::base_backup_options options = options_of(plan);
  backup::tar_sink sink(out, options.now);
  ZENITH_TRY(backup::write_base_backup(*plan.view, plan.wal.get(), options, sink));
  return {};
}

result<void> write_configuration(const compute_parameters& how) {
  file_system& files = posix_file_system();
  const fs::path pgdata = how.directory / "pgdata";
  compute_settings settings;
  settings.socket_directory = how.socket_directory;
  settings.port = how.metadata.port;
  settings.access = how.metadata.access;
  settings.commit = how.metadata.commit;
  settings.receiver_name = how.receiver_name;
  ZENITH_TRY_ASSIGN(const bytes control_bytes, read_file(files, pgdata / "global" / "pg_control"));
  ZENITH_TRY_ASSIGN(const auto control, pg::decode_control_file(control_bytes));
  settings.max_connections = control.max_connections;
  settings.max_worker_processes = control.max_worker_processes;
  settings.max_wal_senders = control.max_wal_senders;
  settings.max_prepared_transactions = control.max_prepared_transactions;
  settings.max_locks_per_transaction = control.max_locks_per_transaction;
  ZENITH_TRY(write_file_durably(files, pgdata / repository::generated_configuration_name,
                                as_bytes(repository::generated_configuration(settings))));
  ZENITH_TRY_ASSIGN(const std::string current, read_text(pgdata / "postgresql.conf"));
  const std::string wanted = repository::with_include(current);
  if (wanted == current) return {};
  return write_file_durably(files, pgdata / "postgresql.conf", as_bytes(wanted));
}

result<void> keep_configuration(const compute_parameters& how) {
  return repository::keep_configuration(posix_file_system(), how.directory / "pgdata",
                                        how.configuration);
}

}  // namespace zenith::actors
