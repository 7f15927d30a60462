// Every record type of PostgreSQL 15, in one run of a real server, judged by all that it left.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "storage/postgres/wal_page.hpp"
#include "tests/storage/redo/observed_server.hpp"
#include "tests/support/hard_workload.hpp"
#include "tests/support/test_level.hpp"
#include "tests/support/wal_replay.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

/// All names that pg_waldump can print, but for three that wal_level replica and logical never
/// write: XLOG/NOOP, Heap/HOT_UPDATE+INIT and Gist/ASSIGN_LSN.
const std::vector<std::pair<std::string, std::vector<std::string>>> all_types{
    {"XLOG",
     {"CHECKPOINT_SHUTDOWN", "CHECKPOINT_ONLINE", "NEXTOID", "SWITCH", "BACKUP_END",
      "PARAMETER_CHANGE", "RESTORE_POINT", "FPW_CHANGE", "END_OF_RECOVERY", "FPI_FOR_HINT", "FPI",
      "OVERWRITE_CONTRECORD"}},
    {"Transaction",
     {"COMMIT", "PREPARE", "ABORT", "COMMIT_PREPARED", "ABORT_PREPARED", "ASSIGNMENT",
      "INVALIDATION"}},
    {"Storage", {"CREATE", "TRUNCATE"}},
    {"CLOG", {"ZEROPAGE", "TRUNCATE"}},
    {"Database", {"CREATE_FILE_COPY", "CREATE_WAL_LOG", "DROP"}},
    {"Tablespace", {"CREATE", "DROP"}},
    {"MultiXact", {"ZERO_OFF_PAGE", "ZERO_MEM_PAGE", "CREATE_ID", "TRUNCATE_ID"}},
    {"RelMap", {"UPDATE"}},
    {"Standby", {"LOCK", "RUNNING_XACTS", "INVALIDATIONS"}},
    {"Heap2",
     {"REWRITE", "PRUNE", "VACUUM", "FREEZE_PAGE", "VISIBLE", "MULTI_INSERT", "MULTI_INSERT+INIT",
      "LOCK_UPDATED", "NEW_CID"}},
    {"Heap",
     {"INSERT", "INSERT+INIT", "DELETE", "UPDATE", "UPDATE+INIT", "TRUNCATE", "HOT_UPDATE",
      "HEAP_CONFIRM", "LOCK", "INPLACE"}},
    {"Btree",
     {"INSERT_LEAF", "INSERT_UPPER", "INSERT_META", "SPLIT_L", "SPLIT_R", "INSERT_POST", "DEDUP",
      "DELETE", "UNLINK_PAGE", "UNLINK_PAGE_META", "NEWROOT", "MARK_PAGE_HALFDEAD", "VACUUM",
      "REUSE_PAGE", "META_CLEANUP"}},
    {"Hash",
     {"INIT_META_PAGE", "INIT_BITMAP_PAGE", "INSERT", "ADD_OVFL_PAGE", "SPLIT_ALLOCATE_PAGE",
      "SPLIT_PAGE", "SPLIT_COMPLETE", "MOVE_PAGE_CONTENTS", "SQUEEZE_PAGE", "DELETE",
      "SPLIT_CLEANUP", "UPDATE_META_PAGE", "VACUUM_ONE_PAGE"}},
    {"Gin",
     {"CREATE_PTREE", "INSERT", "SPLIT", "VACUUM_PAGE", "DELETE_PAGE", "UPDATE_META_PAGE",
      "INSERT_LISTPAGE", "DELETE_LISTPAGE", "VACUUM_DATA_LEAF_PAGE"}},
    {"Gist", {"PAGE_UPDATE", "DELETE", "PAGE_REUSE", "PAGE_SPLIT", "PAGE_DELETE"}},
    {"Sequence", {"LOG"}},
    {"SPGist",
     {"ADD_LEAF", "MOVE_LEAFS", "ADD_NODE", "SPLIT_TUPLE", "PICKSPLIT", "VACUUM_LEAF",
      "VACUUM_ROOT", "VACUUM_REDIRECT"}},
    {"BRIN",
     {"CREATE_INDEX", "INSERT", "INSERT+INIT", "UPDATE", "UPDATE+INIT", "SAMEPAGE_UPDATE",
      "REVMAP_EXTEND", "DESUMMARIZE"}},
    {"CommitTs", {"ZEROPAGE", "TRUNCATE"}},
    {"ReplicationOrigin", {"SET", "DROP"}},
    {"Generic", {"Generic"}},
    {"LogicalMessage", {"MESSAGE"}}};

std::set<std::string> expected_types() {
  std::set<std::string> names;
  for (const auto& [manager, types] : all_types)
    for (const auto& type : types) names.insert(manager + "/" + type);
  return names;
}

/// What pg_waldump counts between two LSNs of one pg_timeline.
void add_types(std::set<std::string>& into, const fs::path& wal, pg_timeline timeline,
               uint32_t segment_size_bytes, lsn from, lsn until) {
  const auto segment = [&](lsn at) {
    return (wal /
            pg::segment_file_name(timeline, at.value() / segment_size_bytes, segment_size_bytes))
        .string();
  };
  std::istringstream lines(
      run_ok({pg_program("pg_waldump"), "--stats=record", "-s", to_string(from), "-e",
              to_string(until), segment(from), segment(until)}));
  for (std::string line; std::getline(lines, line);) {
    std::string name;
    uint64_t count = 0;
    std::istringstream words(line);
    if (words >> name >> count && count > 0 && name.find('/') != std::string::npos)
      into.insert(name);
  }
}

/// Where pg_timeline 2 leaves the first one, by its history file.
lsn switch_point(const fs::path& wal) {
  std::ifstream history(wal / "00000002.history");
  std::string parent, at;
  history >> parent >> at;
  const auto parsed = parse_lsn(at);
  return parsed ? *parsed : lsn{};
}

/// Of the resource managers whose images can be compared: those that change no page that they
/// name, and those whose pages always come as images (REGBUF_FORCE_IMAGE, or as in XLOG/FPI).
const std::set<std::string> without_checks{"Heap/TRUNCATE",    "Heap2/NEW_CID",   "Heap2/REWRITE",
                                           "Btree/REUSE_PAGE", "Gist/PAGE_REUSE", "Gin/SPLIT",
                                           "Gin/VACUUM_PAGE",  "Hash/SPLIT_PAGE"};
const std::set<std::string> masked_managers{"Heap2", "Heap",     "Btree",  "Hash", "Gin",
                                            "Gist",  "Sequence", "SPGist", "BRIN", "Generic"};

void expect_checked_pages(const replay_report& report) {
  std::string unchecked;
  for (const auto& [manager, types] : all_types)
    for (const auto& type : types) {
      const auto name = manager + "/" + type;
      if (!masked_managers.contains(manager) || without_checks.contains(name)) continue;
      const auto counts = report.by_type.find(name);
      if (counts == report.by_type.end() || counts->second.checked == 0) unchecked += " " + name;
    }
  const auto sum = report.total();
  EXPECT_EQ(unchecked, "");
  EXPECT_EQ(sum.mismatched, 0u);
  EXPECT_EQ(sum.failed, 0u);
  EXPECT_EQ(sum.unknown, 0u);
  EXPECT_EQ(report.problem_count, 0u);
  EXPECT_EQ(report.wal_error, "");
}

struct one_run {
  uint32_t seed;  ///< added to the tests' own
  workload_size size;
  bool always;  ///< not at the full level only
};

std::ostream& operator<<(std::ostream& out, const one_run& one) {
  return out << "seed " << one.seed;
}

std::string name_of(const ::testing::TestParamInfo<one_run>& one) {
  return "seed_" + std::to_string(one.param.seed);
}

class record_types : public ::testing::TestWithParam<one_run> {};

INSTANTIATE_TEST_SUITE_P(tiny, record_types,
                         ::testing::Values(one_run{0, workload_size::tiny, true},
                                           one_run{1, workload_size::tiny, false},
                                           one_run{2, workload_size::tiny, false}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(normal, record_types,
                         ::testing::Values(one_run{0, workload_size::normal, false},
                                           one_run{1, workload_size::normal, false}),
                         name_of);

TEST_P(record_types, all_that_postgresql_writes_lead_to_its_own_pages_and_state) {
  if (!GetParam().always && !full_test_level()) GTEST_SKIP() << "ZENITH_TEST_LEVEL=full runs it";
  const temporary_directory directory;
  observed_server observed(
      "wal_level = logical\nwal_consistency_checking = 'all'\nwal_compression = lz4\n"
      "full_page_writes = off\nwal_keep_size = '64GB'\nmax_wal_size = '64GB'\n"
      "checkpoint_timeout = '1h'\ntrack_commit_timestamp = on\nmax_prepared_transactions = 20\n");
  observed.expect_map_pages(observed_server::map_pages::fewer_bits);
  auto& server = observed.server();
  for (const auto* folder : {"base", "global"})
    fs::copy(server.data() / folder, directory / folder, fs::copy_options::recursive);
  server.start();
  postgres_server_host host(server);
  const hard_workload_options options{test_seed() + GetParam().seed, GetParam().size};
  SCOPED_TRACE(fmt::format("seed {}", options.seed));
  run_hard_workload(host, options);
  run_server_events(server, options);
  observed.stop_and_replay();

  const auto wal = server.data() / "pg_wal";
  constexpr uint32_t segment_size = 16 << 20;
  const lsn end = for_each_record(server.data(), observed.start(), [](const auto&) {});
  std::set<std::string> found;
  add_types(found, wal, pg_timeline{1}, segment_size, observed.start(), switch_point(wal));
  add_types(found, wal, pg_timeline{2}, segment_size, switch_point(wal), end);
  std::string missing;
  for (const auto& name : expected_types())
    if (!found.contains(name)) missing += " " + name;
  EXPECT_EQ(expected_types().size(), 120u);
  EXPECT_EQ(missing, "");

  const auto report =
      replay_wal({.wal = wal, .start = observed.start(), .until = end, .base = directory.path()});
  SCOPED_TRACE(report.text());
  expect_checked_pages(report);
}

}  // namespace
}  // namespace zenith::testing
