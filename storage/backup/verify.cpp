// Comparing a view with a data directory.
#include "storage/backup/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "storage/backup/comparison.hpp"
#include "storage/backup/data_directory.hpp"
#include "storage/backup/wal_seam.hpp"
#include "storage/postgres/checkpoint.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/relation_map.hpp"

namespace zenith::backup {

namespace {

constexpr uint64_t small_file_bytes_max = uint64_t{1} << 30;

class verifier {
 public:
  verifier(const layers::view& view, lsn at, file_system& files, const path& root,
           const verify_options& options)
      : view_(view), at_(at), directory_(files, root), options_(options) {}

  result<verify_report> run();

 private:
  result<void> check_control();
  result<bytes> required(const key& k, size_t size_bytes) const;
  result<std::vector<key>> keys_of(key_kind kind) const;

  result<void> compare_names();
  result<void> compare_small_files();
  result<void> compare_small_file(const key& k, const std::string& name, size_t at_most);
  result<void> compare_relations();
  result<void> compare_fork(const relation_id& relation, fork_number fork,
                            std::optional<block_number> ours, std::optional<block_number> theirs);
  result<void> compare_block(const relation_id& relation, fork_number fork, block_number block,
                             block_number our_blocks, const page& theirs);
  map_logging logging_of_map(const relation_id& relation, block_number block) const;
  result<void> check_missing_blocks(const relation_id& relation, fork_number fork,
                                    block_number first, block_number end);
  result<void> check_free_space_map(const relation_id& relation, block_number blocks);
  result<void> compare_slru(slru_kind slru, const std::set<uint32_t>& ours);

  void add(std::string file, block_number block, uint32_t offset, std::string what);

  const layers::view& view_;
  lsn at_;
  data_directory directory_;
  const verify_options& options_;
  directory_contents theirs_;
  slru_bounds bounds_;
  bool keeps_commit_timestamps_ = false;
  verify_report report_;
};

void verifier::add(std::string file, block_number block, uint32_t offset, std::string what) {
  ++report_.mismatch_count;
  if (report_.mismatches.size() < options_.mismatches_max)
    report_.mismatches.push_back({std::move(file), block, offset, std::move(what)});
}

result<verify_report> verifier::run() {
  ZENITH_TRY(check_control());
  ZENITH_TRY_ASSIGN(theirs_, directory_.list());
  ZENITH_TRY(compare_names());
  ZENITH_TRY(compare_small_files());
  ZENITH_TRY_ASSIGN(const auto pages, keys_of(key_kind::slru_page));
  for (const slru_kind slru : all_slrus) {
    if (slru == slru_kind::commit_ts && !keeps_commit_timestamps_) continue;
    std::set<uint32_t> ours;
    for (const key& k : pages)
      if (k.slru_of() == slru) ours.insert(k.d);
    ZENITH_TRY(compare_slru(slru, ours));
  }
  ZENITH_TRY(compare_relations());
  return std::move(report_);
}

result<bytes> verifier::required(const key& k, size_t size_bytes) const {
  ZENITH_TRY_ASSIGN(auto value, view_.value(k, at_));
  if (!value || value->size() < size_bytes)
    return fail(errc::corrupt, fmt::format("{} has {} bytes at {}, expected {}", to_string(k),
                                           value ? value->size() : 0, to_string(at_), size_bytes));
  return std::move(*value);
}

result<std::vector<key>> verifier::keys_of(key_kind kind) const {
  return view_.keys(key{kind}, key{kind, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT8_MAX, UINT32_MAX},
                    at_);
}

result<void> verifier::check_control() {
  ZENITH_TRY_ASSIGN(const bytes file,
                    directory_.read_file("global/pg_control", pg::control_file_size_bytes));
  ZENITH_TRY_ASSIGN(const pg::control_file control, pg::decode_control_file(file));
  ZENITH_TRY_ASSIGN(const bytes stored, required(key::control(), pg::control_data_size_bytes));
  ZENITH_TRY_ASSIGN(const pg::control_file ours, pg::decode_control_file(stored));
  const std::string name = directory_.root().string();
  if (control.system != ours.system)
    return fail(errc::conflict,
                fmt::format("{} belongs to the cluster {}, expected {}: it is not of this history",
                            name, to_string(control.system), to_string(ours.system)));
  if (control.state != pg::database_state::shut_down)
    return fail(errc::conflict,
                fmt::format("the server of {} was not shut down cleanly (state {}, expected {}); "
                            "start it and stop it with pg_ctl stop -m fast",
                            name, static_cast<uint32_t>(control.state),
                            static_cast<uint32_t>(pg::database_state::shut_down)));
  const lsn end = record_end(control.checkpoint_record, pg::shutdown_checkpoint_record_size_bytes,
                             {control.system, control.wal_segment_size_bytes});
  if (end < at_)
    return fail(errc::conflict,
                fmt::format("the last checkpoint of {} ends at {}, before {}: its files are older "
                            "than what they are to be compared with",
                            name, to_string(end), to_string(at_)));
  const pg::checkpoint& limits = ours.last_checkpoint;
  bounds_.oldest_xid = limits.oldest_xid;
  bounds_.oldest_multixact = limits.oldest_multixact;
  bounds_.oldest_commit_ts_xid = limits.oldest_commit_ts_xid;
  keeps_commit_timestamps_ = control.track_commit_timestamp && ours.track_commit_timestamp;
  ZENITH_TRY_ASSIGN(const bytes xid, required(key::next_full_xid(), 8));
  bounds_.next_xid = static_cast<uint32_t>(load<uint64_t>(xid.data()));
  ZENITH_TRY_ASSIGN(const bytes multixact, required(key::next_multixact(), 8));
  bounds_.next_multixact = load<uint32_t>(multixact.data());
  bounds_.next_multixact_offset = load<uint32_t>(multixact.data() + 4);
  return {};
}

// Calls back with what only one of two sorted sets has.
template <class Set, class Each>
void one_sided(const Set& ours, const Set& theirs, Each each) {
  for (const auto& one : ours)
    if (!theirs.contains(one)) each(one, "is missing in the directory");
  for (const auto& one : theirs)
    if (!ours.contains(one)) each(one, "does not exist at this LSN");
}

result<void> verifier::compare_names() {
  std::set<uint32_t> our_tablespaces, their_tablespaces;
  ZENITH_TRY_ASSIGN(const auto tablespaces, keys_of(key_kind::tablespace));
  for (const key& k : tablespaces) our_tablespaces.insert(k.a);
  for (const auto& one : theirs_.tablespaces) their_tablespaces.insert(one.first);
  one_sided(our_tablespaces, their_tablespaces, [&](uint32_t oid, const char* what) {
    add(fmt::format("pg_tblspc/{}", oid), 0, 0, what);
  });
  std::set<std::pair<uint32_t, uint32_t>> our_databases;
  ZENITH_TRY_ASSIGN(const auto databases, keys_of(key_kind::database));
  for (const key& k : databases) our_databases.insert({k.a, k.b});
  one_sided(our_databases, theirs_.databases, [&](const auto& database, const char* what) {
    add(database_directory(database.first, database.second) + "/PG_VERSION", 0, 0, what);
  });
  return {};
}

result<void> verifier::compare_small_file(const key& k, const std::string& name, size_t at_most) {
  ZENITH_TRY_ASSIGN(auto ours, view_.value(k, at_));
  ZENITH_TRY_ASSIGN(auto theirs, directory_.read_optional_file(name, small_file_bytes_max));
  if (!ours && !theirs) return {};
  if (!ours || !theirs) {
    add(name, 0, 0, ours ? "is missing in the directory" : "does not exist at this LSN");
    return {};
  }
  if (ours->size() > at_most) ours->resize(at_most);
  if (theirs->size() > at_most) theirs->resize(at_most);
  const auto [a, b] = std::ranges::mismatch(*ours, *theirs);
  if (a != ours->end() || b != theirs->end())
    add(name, 0, static_cast<uint32_t>(a - ours->begin()), "differs");
  return {};
}

result<void> verifier::compare_small_files() {
  std::set<std::pair<uint32_t, uint32_t>> maps = theirs_.databases;
  ZENITH_TRY_ASSIGN(const auto our_maps, keys_of(key_kind::relation_map));
  for (const key& k : our_maps) maps.insert({k.a, k.b});
  for (const auto& [tablespace, database] : maps)
    // The last bytes are padding.
    ZENITH_TRY(compare_small_file(key::relation_map(tablespace, database),
                                  database_directory(tablespace, database) + "/pg_filenode.map",
                                  pg::relation_map_size_bytes - 4));
  std::set<uint32_t> prepared = theirs_.two_phase;
  ZENITH_TRY_ASSIGN(const auto our_state, keys_of(key_kind::two_phase));
  for (const key& k : our_state) prepared.insert(k.a);
  for (const uint32_t xid : prepared)
    ZENITH_TRY(compare_small_file(key::two_phase(xid), "pg_twophase/" + two_phase_file(xid),
                                  small_file_bytes_max));
  return {};
}

result<void> verifier::compare_relations() {
  std::map<relation_id, relation_forks> ours;
  ZENITH_TRY_ASSIGN(const auto keys, keys_of(key_kind::relation_size));
  for (const key& k : keys) {
    ZENITH_TRY_ASSIGN(const auto state, view_.relation(k.relation(), k.relation_fork(), at_));
    if (state) ours[k.relation()][k.relation_fork()] = state->blocks();
  }
  std::set<relation_id> all;
  for (const auto& one : ours) all.insert(one.first);
  for (const auto& one : theirs_.relations) all.insert(one.first);
  for (const relation_id& relation : all) {
    ++report_.relations;
    const relation_forks& our_forks = ours[relation];
    const relation_forks& their_forks = theirs_.relations[relation];
    const bool unlogged = our_forks.is_unlogged() || their_forks.is_unlogged();
    for (const fork_number fork : {fork_number::main, fork_number::vm, fork_number::init})
      if (!unlogged || fork == fork_number::init)
        ZENITH_TRY(compare_fork(relation, fork, our_forks[fork], their_forks[fork]));
    if (!unlogged && our_forks[fork_number::fsm])
      ZENITH_TRY(check_free_space_map(relation, *our_forks[fork_number::fsm]));
  }
  return {};
}

result<void> verifier::compare_fork(const relation_id& relation, fork_number fork,
                                    std::optional<block_number> ours,
                                    std::optional<block_number> theirs) {
  // A map that does not exist is an empty one; an empty file that only the directory has holds
  // nothing that could differ.
  if (fork != fork_number::vm && ours && !theirs) {
    add(data_directory::file_of(relation, fork, 0), 0, 0, "is missing in the directory");
    return {};
  }
  const block_number our_blocks = ours.value_or(0);
  const block_number their_blocks = theirs.value_or(0);
  ZENITH_TRY(directory_.read_fork(relation, fork, their_blocks,
                                  [&](block_number block, const page& found) {
                                    return compare_block(relation, fork, block, our_blocks, found);
                                  }));
  return check_missing_blocks(relation, fork, their_blocks, our_blocks);
}

result<void> verifier::compare_block(const relation_id& relation, fork_number fork,
                                     block_number block, block_number our_blocks,
                                     const page& theirs) {
  const bool is_map = fork == fork_number::vm;
  if (block >= our_blocks) {
    if (is_zero(theirs) || (is_map && is_empty_visibility_map(theirs))) return {};
    add(data_directory::file_of(relation, fork, block), block, 0, "does not exist at this LSN");
    return {};
  }
  ++report_.pages;
  page ours;
  if (const auto read = view_.read_page(relation, fork, block, at_, ours); !read) {
    add(data_directory::file_of(relation, fork, block), block, 0, read.error().message);
    return {};
  }
  difference found =
      is_map ? compare_visibility_maps(ours, theirs) : compare_blocks(ours, theirs, block);
  if (found && is_map && logging_of_map(relation, block) == map_logging::without_bits)
    found = compare_visibility_maps(ours, theirs, map_logging::without_bits);
  if (found) add(data_directory::file_of(relation, fork, block), block, *found, "differs");
  return {};
}

// What the page begins with decides. An image without its bits has a hole up to the page's end;
// other images have all of them, and so has what was there from the start.
map_logging verifier::logging_of_map(const relation_id& relation, block_number block) const {
  const auto first = view_.first_image(relation, fork_number::vm, block, at_);
  const bool is_without =
      first && *first && (*first)->image.hole_length > 0 &&
      (*first)->image.hole_offset + (*first)->image.hole_length == page_size_bytes;
  return is_without ? map_logging::without_bits : map_logging::whole;
}

result<void> verifier::check_missing_blocks(const relation_id& relation, fork_number fork,
                                            block_number first, block_number end) {
  for (block_number block = first; block < end; ++block) {
    ++report_.pages;
    page ours;
    if (const auto read = view_.read_page(relation, fork, block, at_, ours); !read)
      add(data_directory::file_of(relation, fork, block), block, 0, read.error().message);
    else if (fork != fork_number::vm || !is_empty_visibility_map(ours))
      add(data_directory::file_of(relation, fork, block), block, 0, "is missing in the directory");
  }
  return {};
}

result<void> verifier::check_free_space_map(const relation_id& relation, block_number blocks) {
  for (block_number block = 0; block < blocks; ++block) {
    page ours;
    const auto read = view_.read_page(relation, fork_number::fsm, block, at_, ours);
    if (read && is_free_space_map(ours)) continue;
    add(data_directory::file_of(relation, fork_number::fsm, block), block, 0,
        read ? "is not a free space map" : read.error().message);
  }
  return {};
}

result<void> verifier::compare_slru(slru_kind slru, const std::set<uint32_t>& ours) {
  const auto file_of = [&](uint32_t number) {
    return slru_file(slru, number / slru_pages_per_segment);
  };
  std::set<uint32_t> theirs;
  for (const auto& [segment, pages] : theirs_.slrus[static_cast<size_t>(slru)]) {
    ZENITH_TRY(directory_.read_slru_segment(
        slru, segment, pages, [&](uint32_t number, const page& found) -> result<void> {
          theirs.insert(number);
          if (!ours.contains(number) || !slru_page_is_in_use(slru, number, bounds_)) return {};
          ++report_.pages;
          const auto value = view_.value(key::slru(slru, number), at_);
          page p;
          if (!value || !*value || (*value)->size() != page_size_bytes) {
            add(file_of(number), number, 0,
                value ? "is no page at this LSN" : value.error().message);
            return {};
          }
          std::ranges::copy(**value, p.begin());
          if (const auto offset = compare_slru_pages(slru, number, p, found, bounds_))
            add(file_of(number), number, *offset, "differs");
          return {};
        }));
  }
  one_sided(ours, theirs, [&](uint32_t number, const char* what) {
    if (slru_page_is_in_use(slru, number, bounds_) && !slru_page_is_past(slru, number, bounds_))
      add(file_of(number), number, 0, what);
  });
  return {};
}

}  // namespace

result<verify_report> verify(const layers::view& view, lsn at, file_system& files,
                             const path& directory, const verify_options& options) {
  const layers::view scan = view.for_scan();
  return verifier{scan, at, files, directory, options}.run();
}

}  // namespace zenith::backup
