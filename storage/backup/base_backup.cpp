// A data directory as of any LSN.
#include "storage/backup/base_backup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "storage/backup/configuration_files.hpp"
#include "storage/backup/control_state.hpp"
#include "storage/backup/file_names.hpp"
#include "storage/backup/relation_backup.hpp"
#include "storage/backup/replication_origins.hpp"
#include "storage/backup/wal_seam.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/record.hpp"
#include "storage/wal/decoder.hpp"

namespace zenith::backup {

namespace {

// Those that initdb makes; without most of them a server does not start, or cannot checkpoint.
constexpr std::array directories{"base",
                                 "global",
                                 "pg_commit_ts",
                                 "pg_dynshmem",
                                 "pg_logical",
                                 "pg_logical/mappings",
                                 "pg_logical/snapshots",
                                 "pg_multixact",
                                 "pg_multixact/members",
                                 "pg_multixact/offsets",
                                 "pg_notify",
                                 "pg_replslot",
                                 "pg_serial",
                                 "pg_snapshots",
                                 "pg_stat",
                                 "pg_stat_tmp",
                                 "pg_subtrans",
                                 "pg_tblspc",
                                 "pg_twophase",
                                 "pg_wal",
                                 "pg_wal/archive_status",
                                 "pg_xact"};

// xlogdefs.h, FirstNormalUnloggedLSN: unlogged relations start empty.
constexpr lsn first_unlogged_lsn{1000};

class backup_writer {
 public:
  backup_writer(const layers::view& view, const wal::wal_source* wal,
                const base_backup_options& options, backup_sink& sink)
      : view_(view), wal_(wal), options_(options), sink_(sink) {}

  result<base_backup_summary> run();

 private:
  result<void> check_options() const;
  result<void> read_control();
  result<bytes> required(const key& k, size_t size_bytes) const;
  result<pg::checkpoint> read_last_checkpoint() const;
  result<void> write_two_phase_state();
  result<void> write_origins();
  result<void> write_configuration();
  result<void> write_histories();
  result<void> write_wal_and_control();
  pg_timeline previous_timeline() const;

  const layers::view& view_;
  const wal::wal_source* wal_;
  const base_backup_options& options_;
  backup_sink& sink_;
  pg::control_file control_;
  wal::wal_identity identity_;
  base_backup_summary summary_;
};

result<base_backup_summary> backup_writer::run() {
  ZENITH_TRY(check_options());
  ZENITH_TRY(read_control());
  ZENITH_TRY(sink_.add_file("PG_VERSION", as_bytes(version_file_contents)));
  for (const char* directory : directories) ZENITH_TRY(sink_.add_directory(directory));
  ZENITH_TRY(write_configuration());
  const auto checksums = control_.has_checksums() ? page_checksums::on : page_checksums::off;
  relation_backup relations{view_, options_.at, checksums, sink_};
  ZENITH_TRY(relations.write_relations());
  ZENITH_TRY(relations.write_slrus());
  summary_.relations = relations.relations();
  summary_.bytes = relations.bytes_written();
  ZENITH_TRY(write_two_phase_state());
  ZENITH_TRY(write_origins());
  ZENITH_TRY(write_histories());
  ZENITH_TRY(write_wal_and_control());
  ZENITH_TRY(sink_.finish());
  return summary_;
}

result<void> backup_writer::check_options() const {
  if (options_.at != options_.at.aligned() || options_.previous_record >= options_.at ||
      !options_.previous_record.is_valid())
    return fail(errc::invalid_argument,
                fmt::format("a server cannot start at {} after a record at {}: that is no record's "
                            "end",
                            to_string(options_.at), to_string(options_.previous_record)));
  past_pg_timeline last{pg_timeline{0}, lsn{0}};
  for (const past_pg_timeline& past : options_.history) {
    if (past.number <= last.number || past.until < last.until)
      return fail(errc::invalid_argument,
                  fmt::format("pg_timeline {} until {} follows {} until {} in a history",
                              static_cast<uint32_t>(past.number), to_string(past.until),
                              static_cast<uint32_t>(last.number), to_string(last.until)));
    last = past;
  }
  if (options_.timeline <= last.number || last.until > options_.at)
    return fail(errc::invalid_argument,
                fmt::format("a server on pg_timeline {} at {} cannot follow pg_timeline {} until "
                            "{}",
                            static_cast<uint32_t>(options_.timeline), to_string(options_.at),
                            static_cast<uint32_t>(last.number), to_string(last.until)));
  return {};
}

result<bytes> backup_writer::required(const key& k, size_t size_bytes) const {
  return required_value(view_, k, options_.at, size_bytes);
}

result<void> backup_writer::read_control() {
  ZENITH_TRY_ASSIGN(control_, control_at(view_, options_.at));
  identity_ = {control_.system, control_.wal_segment_size_bytes};
  return {};
}

result<void> backup_writer::write_configuration() {
  ZENITH_TRY_ASSIGN(const auto keys, view_.keys(key{key_kind::configuration_file},
                                                key{key_kind::configuration_file, UINT32_MAX,
                                                    UINT32_MAX, UINT32_MAX, UINT8_MAX, UINT32_MAX},
                                                options_.at));
  for (const key& k : keys) {
    ZENITH_TRY_ASSIGN(const bytes stored, required(k, 0));
    ZENITH_TRY_ASSIGN(const configuration_file file, decode_configuration_file(stored));
    if (std::ranges::none_of(options_.extra_files,
                             [&](const extra_file& extra) { return extra.name == file.name; }))
      ZENITH_TRY(sink_.add_file(file.name, as_bytes(file.contents)));
  }
  for (const extra_file& extra : options_.extra_files)
    ZENITH_TRY(sink_.add_file(extra.name, as_bytes(extra.contents)));
  if (options_.kind == server_kind::read_only) ZENITH_TRY(sink_.add_file("standby.signal", {}));
  return {};
}

// A prepared transaction whose file is missing would be lost in silence.
result<void> backup_writer::write_two_phase_state() {
  ZENITH_TRY_ASSIGN(const auto keys,
                    view_.keys(key::two_phase(0), key::two_phase(UINT32_MAX), options_.at));
  for (const key& k : keys) {
    ZENITH_TRY_ASSIGN(const bytes state, required(k, 1));
    ZENITH_TRY(sink_.add_file("pg_twophase/" + two_phase_file(k.a), state));
  }
  return {};
}

result<void> backup_writer::write_origins() {
  ZENITH_TRY_ASSIGN(const auto keys, view_.keys(key::replication_origin(0),
                                                key::replication_origin(UINT16_MAX), options_.at));
  replication_origins origins;
  for (const key& k : keys) {
    ZENITH_TRY_ASSIGN(const bytes remote, required(k, 8));
    origins[static_cast<uint16_t>(k.a)] = lsn{load<uint64_t>(remote.data())};
  }
  if (origins.empty()) return {};
  return sink_.add_file(replication_origins_file, encode(origins));
}

// One file for each pg_timeline but the first, as a server that follows asks for every one of them
// (walreceiver.c, WalRcvFetchTimeLineHistoryFiles).
result<void> backup_writer::write_histories() {
  std::vector<past_pg_timeline> so_far;
  for (size_t i = 0; i < options_.history.size(); ++i) {
    so_far.push_back(options_.history[i]);
    const pg_timeline next =
        i + 1 < options_.history.size() ? options_.history[i + 1].number : options_.timeline;
    ZENITH_TRY(sink_.add_file("pg_wal/" + history_file(next), as_bytes(pg_history_text(so_far))));
  }
  return {};
}

// The appended record begins a pg_timeline where the one before ended at L.
pg_timeline backup_writer::previous_timeline() const {
  if (options_.history.empty() || options_.history.back().until != options_.at)
    return options_.timeline;
  return options_.history.back().number;
}

// The record that the WAL ends with; the server takes its counters from there.
result<pg::checkpoint> backup_writer::read_last_checkpoint() const {
  const lsn start = options_.previous_record;
  if (wal_ == nullptr || wal_->begin() > start || wal_->end() < options_.at)
    return fail(errc::out_of_range,
                fmt::format("the WAL from {} to {} is not kept, and a server at {} starts from the "
                            "shutdown checkpoint there",
                            to_string(start), to_string(options_.at), to_string(options_.at)));
  // A checkpoint crosses one page at most.
  if (options_.at - start > page_size_bytes)
    return fail(errc::invalid_argument,
                fmt::format("the record at {} ends at {}: it is no shutdown checkpoint",
                            to_string(start), to_string(options_.at)));
  bytes data(options_.at - start);
  ZENITH_TRY(wal_->read(start, data));
  wal::decoder decoder{identity_, start, lsn{}};
  ZENITH_TRY(decoder.feed(start, data));
  ZENITH_TRY_ASSIGN(const auto found, decoder.next());
  if (!found)
    return fail(errc::corrupt,
                fmt::format("no whole record begins at {}, expected a shutdown checkpoint",
                            to_string(start)));
  pg::record record;
  ZENITH_TRY(pg::decode_record(found->bytes, found->start, found->end, record));
  constexpr uint8_t shutdown_checkpoint = 0x00;  // pg_control.h, XLOG_CHECKPOINT_SHUTDOWN
  if (record.rmgr != pg::resource_manager::xlog || record.opcode() != shutdown_checkpoint ||
      record.end != options_.at)
    return fail(errc::invalid_argument,
                fmt::format("the WAL ends with {}, which ends at {}; expected a shutdown "
                            "checkpoint that ends at {}",
                            pg::describe(record), to_string(record.end), to_string(options_.at)));
  return pg::decode_checkpoint(record.main_data);
}

result<void> backup_writer::write_wal_and_control() {
  const int64_t now_s = options_.now.unix_us() / 1'000'000;
  wal_seam seam{identity_, options_.timeline, options_.at, options_.at, {}};
  if (options_.start == start_record::appended_checkpoint) {
    control_.checkpoint_record = record_start_at(options_.at, identity_);
    pg::checkpoint& made = control_.last_checkpoint;
    made.redo = control_.checkpoint_record;
    made.timeline = options_.timeline;
    made.previous_timeline = previous_timeline();
    made.time_s = now_s;
    const bytes record = pg::build_shutdown_checkpoint_record(made, options_.previous_record);
    seam.appended = lay_out_record(options_.at, record, options_.timeline, identity_);
    summary_.end =
        record_end(control_.checkpoint_record, static_cast<uint32_t>(record.size()), identity_);
  } else {
    ZENITH_TRY_ASSIGN(control_.last_checkpoint, read_last_checkpoint());
    control_.checkpoint_record = options_.previous_record;
    seam.from = options_.previous_record;
    summary_.end = options_.at;
  }
  summary_.checkpoint = control_.checkpoint_record;
  ZENITH_TRY(write_wal(seam, wal_, sink_));
  control_.state = pg::database_state::shut_down;
  control_.time_s = now_s;
  control_.unlogged_lsn = first_unlogged_lsn;
  control_.minimum_recovery_point = lsn{};
  control_.minimum_recovery_timeline = pg_timeline{0};
  control_.backup_start = lsn{};
  control_.backup_end = lsn{};
  control_.backup_end_required = false;
  return sink_.add_file("global/pg_control", pg::encode_control_file(control_));
}

}  // namespace

result<base_backup_summary> write_base_backup(const layers::view& view, const wal::wal_source* wal,
                                              const base_backup_options& options,
                                              backup_sink& sink) {
  const layers::view scan = view.for_scan();
  return backup_writer{scan, wal, options, sink}.run();
}

}  // namespace zenith::backup
