// A cleanly shut down data directory as keys and values.
#include "storage/backup/import_directory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/backup/configuration_files.hpp"
#include "storage/backup/data_directory.hpp"
#include "storage/backup/pg_history.hpp"
#include "storage/backup/replication_origins.hpp"
#include "storage/backup/wal_seam.hpp"
#include "storage/base/relation_state.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/relation_map.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::backup {

namespace {

// Files of two-phase state have no limit of their own but a record's (twophase.c, MaxAllocSize).
constexpr uint64_t small_file_bytes_max = uint64_t{1} << 30;

class importer {
 public:
  importer(file_system& files, const path& root, const key_value_callback& each)
      : directory_(files, root), each_(each) {}

  result<imported_cluster> run();

 private:
  result<void> read_control();
  result<void> give_counters();
  result<void> give_names();
  result<void> give_two_phase_state();
  result<void> give_slrus();
  result<void> give_relations();
  result<void> give_fork(const relation_id& relation, fork_number fork, block_number blocks);
  result<void> give_configuration();
  result<void> check_page(const key& k, const page& p) const;

  template <class Value>
  result<void> give(const key& k, const Value& value) {
    std::array<std::byte, sizeof(Value)> stored;
    store(stored.data(), value);
    return each_(k, stored);
  }

  data_directory directory_;
  const key_value_callback& each_;
  directory_contents contents_;
  pg::control_file control_;
  imported_cluster cluster_;
};

// The forks of a relation that are kept: of an unlogged one, only how it starts anew.
bool is_kept(const relation_forks& forks, fork_number fork) {
  return forks[fork] && (!forks.is_unlogged() || fork == fork_number::init);
}

result<imported_cluster> importer::run() {
  ZENITH_TRY(read_control());
  ZENITH_TRY_ASSIGN(contents_, directory_.list());
  ZENITH_TRY(each_(key::control(), pg::encode_control_data(control_)));
  ZENITH_TRY(give_counters());
  ZENITH_TRY(give_names());
  ZENITH_TRY(give_two_phase_state());
  ZENITH_TRY(give_slrus());
  ZENITH_TRY(give_relations());
  ZENITH_TRY(give_configuration());
  return cluster_;
}

result<void> importer::read_control() {
  ZENITH_TRY_ASSIGN(const bytes file,
                    directory_.read_file("global/pg_control", pg::control_file_size_bytes));
  ZENITH_TRY_ASSIGN(control_, pg::decode_control_file(file));
  const path name = directory_.root();
  if (control_.state != pg::database_state::shut_down)
    return fail(errc::conflict,
                fmt::format("the server of {} was not shut down cleanly (state {}, expected {}); "
                            "start it and stop it with pg_ctl stop -m fast",
                            name.string(), static_cast<uint32_t>(control_.state),
                            static_cast<uint32_t>(pg::database_state::shut_down)));
  const wal::wal_identity identity{control_.system, control_.wal_segment_size_bytes};
  if (control_.checkpoint_record != control_.last_checkpoint.redo ||
      !control_.checkpoint_record.is_valid())
    return fail(errc::corrupt,
                fmt::format("{}/global/pg_control names the checkpoint {} with its redo at {}; "
                            "those of a shutdown checkpoint are equal",
                            name.string(), to_string(control_.checkpoint_record),
                            to_string(control_.last_checkpoint.redo)));
  cluster_.system = control_.system;
  cluster_.segment_size_bytes = control_.wal_segment_size_bytes;
  cluster_.has_checksums = control_.has_checksums();
  cluster_.last_record = control_.checkpoint_record;
  cluster_.base =
      record_end(control_.checkpoint_record, pg::shutdown_checkpoint_record_size_bytes, identity);
  cluster_.timeline = control_.last_checkpoint.timeline;
  const uint32_t segment = cluster_.segment_size_bytes;
  for (lsn at = pg::segment_start(cluster_.last_record, segment); at < cluster_.base;
       at = at + segment)
    cluster_.wal_segments.push_back(
        pg::segment_file_name(cluster_.timeline, at.value() / segment, segment));
  ZENITH_TRY_ASSIGN(const auto history,
                    directory_.read_optional_file("pg_wal/" + history_file(cluster_.timeline),
                                                  small_file_bytes_max));
  if (history) {
    ZENITH_TRY_ASSIGN(cluster_.history, parse_pg_history(as_text(*history)));
  }
  return {};
}

result<void> importer::give_counters() {
  const pg::checkpoint& counters = control_.last_checkpoint;
  ZENITH_TRY(give(key::next_full_xid(), counters.next_full_xid));
  ZENITH_TRY(give(key::next_oid(), counters.next_oid));
  return give(key::next_multixact(),
              std::array{counters.next_multixact, counters.next_multixact_offset});
}

result<void> importer::give_names() {
  for (const auto& [oid, location] : contents_.tablespaces)
    ZENITH_TRY(each_(key::tablespace(oid), as_bytes(location)));
  for (const auto& [tablespace, database] : contents_.databases)
    ZENITH_TRY(each_(key::database(tablespace, database), {}));
  auto maps = contents_.databases;
  maps.insert({global_tablespace, 0});
  for (const auto& [tablespace, database] : maps) {
    const std::string name = database_directory(tablespace, database) + "/pg_filenode.map";
    ZENITH_TRY_ASSIGN(const bytes map, directory_.read_file(name, small_file_bytes_max));
    if (const auto checked = pg::decode_relation_map(map); !checked)
      return fail(errc::corrupt, fmt::format("{}: {}", (directory_.root() / name).string(),
                                             checked.error().message));
    ZENITH_TRY(each_(key::relation_map(tablespace, database), map));
  }
  return {};
}

result<void> importer::give_two_phase_state() {
  for (const uint32_t xid : contents_.two_phase) {
    ZENITH_TRY_ASSIGN(const bytes state, directory_.read_file("pg_twophase/" + two_phase_file(xid),
                                                              small_file_bytes_max));
    ZENITH_TRY(each_(key::two_phase(xid), state));
  }
  ZENITH_TRY_ASSIGN(const auto file,
                    directory_.read_optional_file(replication_origins_file, small_file_bytes_max));
  if (!file) return {};
  ZENITH_TRY_ASSIGN(const replication_origins origins, decode_replication_origins(*file));
  for (const auto& [id, remote] : origins)
    ZENITH_TRY(give(key::replication_origin(id), remote.value()));
  return {};
}

result<void> importer::give_slrus() {
  for (const slru_kind slru : all_slrus)
    for (const auto& [segment, pages] : contents_.slrus[static_cast<size_t>(slru)])
      ZENITH_TRY(directory_.read_slru_segment(slru, segment, pages,
                                              [&](block_number number, const page& p) {
                                                return each_(key::slru(slru, number), p.view());
                                              }));
  return {};
}

result<void> importer::give_relations() {
  for (const auto& [relation, forks] : contents_.relations)
    for (const fork_number fork : all_forks)
      if (is_kept(forks, fork))
        ZENITH_TRY(
            each_(key::size(relation, fork), relation_state::of_base(*forks[fork]).encode()));
  for (const auto& [relation, forks] : contents_.relations)
    for (const fork_number fork : all_forks)
      if (is_kept(forks, fork)) ZENITH_TRY(give_fork(relation, fork, *forks[fork]));
  return {};
}

result<void> importer::give_fork(const relation_id& relation, fork_number fork,
                                 block_number blocks) {
  return directory_.read_fork(relation, fork, blocks, [&](block_number block, const page& p) {
    const key k = key::block(relation, fork, block);
    if (auto checked = check_page(k, p); !checked) return checked;
    return each_(k, p.view());
  });
}

// bufpage.c, PageIsVerifiedExtended; and no page can be newer than the end of the WAL.
result<void> importer::check_page(const key& k, const page& p) const {
  if (pg::page_is_new(p)) return {};
  const auto corrupt = [&](std::string what) {
    return fail(errc::corrupt,
                fmt::format("{} block {} {}",
                            (directory_.root() /
                             data_directory::file_of(k.relation(), k.relation_fork(), k.d))
                                .string(),
                            k.d, what));
  };
  if (control_.has_checksums()) {
    constexpr size_t checksum_offset = 8;  // bufpage.h, PageHeaderData.pd_checksum
    const auto found = load<uint16_t>(p.begin() + checksum_offset);
    if (const uint16_t expected = pg::page_checksum(p, k.d); found != expected)
      return corrupt(fmt::format("has the checksum {:04X}, expected {:04X}", found, expected));
  }
  if (const lsn found = pg::page_lsn(p); found > cluster_.base)
    return corrupt(fmt::format("has the LSN {}, expected at most {}", to_string(found),
                               to_string(cluster_.base)));
  return {};
}

result<void> importer::give_configuration() {
  for (uint32_t i = 0; i < configuration_file_names.size(); ++i) {
    const std::string name = configuration_file_names[i];
    ZENITH_TRY_ASSIGN(const auto file,
                      directory_.read_optional_file(name, configuration_file_bytes_max));
    if (file)
      ZENITH_TRY(each_(configuration_key(i),
                       encode(configuration_file{name, std::string{as_text(*file)}})));
  }
  return {};
}

}  // namespace

result<imported_cluster> import_directory(file_system& files, const path& directory,
                                          const key_value_callback& each) {
  return importer{files, directory, each}.run();
}

}  // namespace zenith::backup
