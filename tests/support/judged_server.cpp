// A real server's WAL taken in, and PostgreSQL's own recovery of it compared with what came out.
#include "tests/support/judged_server.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "storage/backup/base_backup.hpp"
#include "storage/backup/control_state.hpp"
#include "storage/backup/data_directory.hpp"
#include "storage/backup/directory_sink.hpp"
#include "storage/backup/verify.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/support/files.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* configuration =
    "wal_keep_size = 8GB\nmax_wal_size = 8GB\nautovacuum = off\nlock_timeout = 60s\n"
    "max_prepared_transactions = 5\nallow_in_place_tablespaces = on\n";

template <class Value>
Value good(result<Value> found) {
  if (!found) throw std::runtime_error(found.error().message);
  return std::move(*found);
}

void good(const result<void>& done) {
  if (!done) throw std::runtime_error(done.error().message);
}

void write_file(const fs::path& name, byte_view contents) {
  std::ofstream out(name, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(contents.data()),
            static_cast<std::streamsize>(contents.size()));
  if (!out) throw std::runtime_error("cannot write " + name.string());
}

// What a server's start and stop leave alone.
pg::control_file without_its_own(pg::control_file control) {
  control.state = {};
  control.time_s = 0;
  control.checkpoint_record = lsn{};
  control.unlogged_lsn = lsn{};
  control.minimum_recovery_point = lsn{};
  control.minimum_recovery_timeline = {};
  control.last_checkpoint.redo = lsn{};
  control.last_checkpoint.timeline = {};
  control.last_checkpoint.previous_timeline = {};
  control.last_checkpoint.time_s = 0;
  control.last_checkpoint.oldest_active_xid = 0;
  return control;
}

// Stock recovery removes exactly the SLRU segments that records tell it to.
void expect_same_slru_segments(const layers::view& view, lsn at, const fs::path& data) {
  const auto theirs = good(backup::data_directory(posix_file_system(), data).list());
  for (const slru_kind slru : all_slrus) {
    std::set<uint32_t> our_segments, their_segments;
    key first = key::slru(slru, 0);
    key last = key::slru(slru, UINT32_MAX);
    for (const key& k : good(view.keys(first, last, at)))
      our_segments.insert(pg::slru_segment_of(k.d));
    for (const auto& one : theirs.slrus[static_cast<size_t>(slru)])
      their_segments.insert(one.first);
    EXPECT_EQ(our_segments, their_segments) << directory_of(slru);
  }
}

void expect_same_control(const layers::view& view, lsn at, const fs::path& data) {
  auto ours = without_its_own(good(backup::control_at(view, at)));
  const auto theirs =
      without_its_own(good(pg::decode_control_file(read_file(data / "global/pg_control"))));
  // Of a truncation of pg_xact recovery keeps the files alone (clog_redo); the server that wrote it
  // has moved its limit, and so do we.
  auto& oldest = ours.last_checkpoint;
  if (pg::transaction_id_precedes(theirs.last_checkpoint.oldest_xid, oldest.oldest_xid)) {
    oldest.oldest_xid = theirs.last_checkpoint.oldest_xid;
    oldest.oldest_xid_database = theirs.last_checkpoint.oldest_xid_database;
  }
  EXPECT_EQ(ours.last_checkpoint.next_full_xid, theirs.last_checkpoint.next_full_xid);
  EXPECT_EQ(ours.last_checkpoint.next_oid, theirs.last_checkpoint.next_oid);
  EXPECT_EQ(ours.last_checkpoint.next_multixact, theirs.last_checkpoint.next_multixact);
  EXPECT_EQ(ours.last_checkpoint.oldest_xid, theirs.last_checkpoint.oldest_xid);
  EXPECT_EQ(ours.last_checkpoint.oldest_multixact, theirs.last_checkpoint.oldest_multixact);
  EXPECT_EQ(ours.last_checkpoint.oldest_commit_ts_xid, theirs.last_checkpoint.oldest_commit_ts_xid);
  EXPECT_EQ(ours.last_checkpoint.newest_commit_ts_xid, theirs.last_checkpoint.newest_commit_ts_xid);
  EXPECT_TRUE(ours == theirs) << "another field of pg_control differs";
}

}  // namespace

judged_server::judged_server(postgres_server::options how) {
  // The first of two sizes gives way; small segments make small copies.
  how.initdb.insert(how.initdb.begin(), "--wal-segsize=1");
  how.configuration = configuration + how.configuration;
  server_ = std::make_unique<postgres_server>(directory_, how);
}

void judged_server::run(const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) server_->execute(statement);
}

void judged_server::take_base() {
  server_->stop();
  base_ = directory_ / "base";
  fs::copy(server_->data(), base_, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  segment_size_bytes_ =
      good(pg::decode_control_file(read_file(base_ / "global/pg_control"))).wal_segment_size_bytes;
  server_->start();
}

lsn judged_server::mark() {
  return good(parse_lsn(server_->value("select pg_current_wal_insert_lsn()")));
}

void judged_server::ingest() {
  const bool runs = server_->running();
  if (runs) {
    server_->execute("select pg_logical_emit_message(true, 'the end', '')");
    server_->kill();
  }
  ingested_ = ingest_wal(base_, server_->data() / "pg_wal", segment_size_bytes());
  records_.push_back({ingested_.base.cluster.last_record, base(), {}});
  for (const auto& [start, end] : ingested_.records) records_.push_back({start, end, {}});
  read_dump(records_.back().end);
  EXPECT_EQ(count(base(), ingested_.wal->end(), {"LogicalMessage", "the end"}), runs ? 1u : 0u)
      << "the WAL ends early, with: " << records_.back().dumped;
}

// pg_waldump follows one pg_timeline's file names: it is asked once for each of them.
void judged_server::read_dump(lsn until) {
  std::map<lsn, std::string> dumped;
  const uint32_t size = segment_size_bytes();
  const auto timeline_in = [&](const fs::path& file) {
    return pg::parse_segment_file_name(file.filename().string(), size)->timeline;
  };
  for (lsn first = pg::segment_start(base(), size); first < until;) {
    lsn last = first;
    while (last + size < until && timeline_in(ingested_.wal->file_of(last + size)) ==
                                      timeline_in(ingested_.wal->file_of(first)))
      last = last + size;
    const std::vector<std::string> command{pg_program("pg_waldump"),
                                           ingested_.wal->file_of(first).string(),
                                           ingested_.wal->file_of(last).string()};
    first = last + size;
    std::istringstream lines(testing::run(command).output);
    for (std::string line; std::getline(lines, line);) {
      const size_t place = line.find("lsn: ");
      if (place == std::string::npos) continue;
      const std::string position = line.substr(place + 5, line.find(',', place) - place - 5);
      dumped.emplace(good(parse_lsn(position)), line);
    }
  }
  for (judged_record& record : records_) {
    record.dumped = dumped[record.start];
    EXPECT_NE(record.dumped, "") << "pg_waldump knows of no record at " << to_string(record.start);
  }
}

const judged_record& judged_server::last_before(lsn mark) const {
  const auto after = std::ranges::upper_bound(records_, mark, {}, &judged_record::end);
  if (after == records_.begin()) throw std::runtime_error("no record before " + to_string(mark));
  return *std::prev(after);
}

std::vector<judged_record> judged_server::find(lsn from, lsn until,
                                               const std::vector<std::string>& texts) const {
  std::vector<judged_record> found;
  for (const judged_record& record : records_)
    if (record.start >= from && record.end <= until &&
        std::ranges::all_of(texts, [&](const std::string& text) {
          return record.dumped.find(text) != std::string::npos;
        }))
      found.push_back(record);
  return found;
}

layers::view judged_server::view(lsn mark) const {
  return ingested_.view_until(last_before(mark).end);
}

bytes judged_server::value_at(lsn mark, const key& k) const {
  const layers::view at = view(mark);
  return good(at.value(k, at.until())).value_or(bytes{});
}

std::vector<key> judged_server::keys_at(lsn mark, const key& first, const key& last) const {
  const layers::view at = view(mark);
  return good(at.keys(first, last, at.until()));
}

relation_id judged_server::relation_of(const std::string& filepath) {
  // base/DATABASE/FILE, global/FILE or pg_tblspc/TABLESPACE/VERSION/DATABASE/FILE
  std::vector<std::string> parts;
  std::istringstream in(filepath);
  for (std::string part; std::getline(in, part, '/');) parts.push_back(part);
  const auto number = [&](size_t i) { return static_cast<uint32_t>(std::stoul(parts.at(i))); };
  if (parts.at(0) == "base") return {backup::default_tablespace, number(1), number(2)};
  if (parts.at(0) == "global") return {backup::global_tablespace, 0, number(1)};
  return {number(1), number(3), number(4)};
}

bytes judged_server::page_at(lsn mark, const relation_id& relation, fork_number fork,
                             block_number block) const {
  const layers::view at = view(mark);
  page p{};
  if (block < blocks_at(mark, relation, fork).value_or(0))
    good(at.read_page(relation, fork, block, at.until(), p));
  constexpr size_t lsn_and_checksum_bytes = 10;  // bufpage.h, PageHeaderData
  std::memset(p.begin(), 0, lsn_and_checksum_bytes);
  return {p.view().begin(), p.view().end()};
}

std::optional<block_number> judged_server::blocks_at(lsn mark, const relation_id& relation,
                                                     fork_number fork) const {
  const layers::view at = view(mark);
  const auto state = good(at.relation(relation, fork, at.until()));
  return state ? std::optional{state->blocks()} : std::nullopt;
}

fs::path judged_server::fresh_directory(const std::string& name) {
  return directory_ / (name + std::to_string(++directories_));
}

pg_lineage judged_server::lineage_at(lsn at) const {
  pg_lineage found;
  for (const auto& entry : fs::directory_iterator(server_->data() / "pg_wal")) {
    if (entry.path().extension() != ".history") continue;
    const pg_timeline timeline{
        static_cast<uint32_t>(std::stoul(entry.path().stem().string(), nullptr, 16))};
    auto history = good(backup::parse_pg_history(as_text(read_file(entry.path()))));
    if (timeline > found.timeline && history.back().until < at)
      found = {timeline, std::move(history)};
  }
  return found;
}

fs::path judged_server::recover(lsn mark) {
  const judged_record& last = last_before(mark);
  const fs::path data = fresh_directory("recovered");
  fs::copy(base_, data, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const pg_lineage lineage = lineage_at(last.end);
  const bool switches = lineage.timeline != ingested_.base.cluster.timeline;
  const uint32_t size = segment_size_bytes();
  for (lsn begin = ingested_.wal->begin(); begin < last.end; begin = begin + size) {
    bytes content(std::min<uint64_t>(last.end - begin, size));
    good(ingested_.wal->read(begin, content));
    content.resize(size);
    const fs::path name =
        switches ? ingested_.wal->file_of(begin).filename()
                 : fs::path(pg::segment_file_name(lineage.timeline, begin.value() / size, size));
    write_file(data / "pg_wal" / name, content);
  }
  // The recovered server is configured as the one before it, which shows in its control file.
  for (const char* name : {"postgresql.conf", "postgresql.auto.conf"})
    fs::copy_file(server_->data() / name, data / name, fs::copy_options::overwrite_existing);
  std::vector<std::string> arguments;
  if (switches) {
    // Crash recovery stays on the control file's pg_timeline; only this kind follows history files.
    const auto name = fs::path("pg_wal") / backup::history_file(lineage.timeline);
    fs::copy_file(server_->data() / name, data / name);
    std::ofstream(data / "recovery.signal");
    arguments = {"-c", "restore_command=false", "-c", "hot_standby=off"};
  } else {
    auto control = good(pg::decode_control_file(read_file(data / "global/pg_control")));
    control.state = pg::database_state::in_production;
    write_file(data / "global/pg_control", pg::encode_control_file(control));
  }
  postgres_server recovered(directory_, data);
  recovered.start(arguments);
  // The recovery of an archive goes on after "standby"; connecting to ask would change pages.
  wait_until([&] {
    const bytes lock = read_file(data / "postmaster.pid");
    return as_text(lock).find("\nready") != std::string::npos;
  });
  recovered.stop();
  return data;
}

void judged_server::expect_recovery_agrees(lsn mark) {
  const judged_record& last = last_before(mark);
  const ::testing::ScopedTrace trace{__FILE__, __LINE__, "at " + to_string(last.end)};
  const layers::view at = view(mark);
  const fs::path data = recover(mark);
  const auto report = good(backup::verify(at, last.end, posix_file_system(), data));
  EXPECT_GT(report.pages, 500u);
  EXPECT_EQ(report.mismatch_count, 0u);
  for (size_t i = 0; i < std::min<size_t>(report.mismatches.size(), 10); ++i) {
    const backup::mismatch& one = report.mismatches[i];
    ADD_FAILURE() << one.file << " block " << one.block << " offset " << one.offset << ": "
                  << one.what;
  }
  expect_same_slru_segments(at, last.end, data);
  expect_same_control(at, last.end, data);
  fs::remove_all(data);
}

fs::path judged_server::write_backup(lsn mark, backup::start_record from) {
  const judged_record& last = last_before(mark);
  const fs::path data = fresh_directory("backup");
  pg_lineage lineage = lineage_at(last.end);
  if (from == backup::start_record::appended_checkpoint) {
    lineage.history.push_back({lineage.timeline, last.end});
    lineage.timeline = pg_timeline{static_cast<uint32_t>(lineage.timeline) + 1};
  }
  backup::base_backup_options options;
  options.at = last.end;
  options.previous_record = last.start;
  options.timeline = lineage.timeline;
  options.history = lineage.history;
  options.start = from;
  auto sink = good(backup::directory_sink::create(posix_file_system(), data, {}));
  good(backup::write_base_backup(view(mark), ingested_.wal.get(), options, *sink));
  return data;
}

std::unique_ptr<postgres_server> judged_server::start_at(lsn mark) {
  auto started = std::make_unique<postgres_server>(directory_, write_backup(mark));
  started->start();
  return started;
}

}  // namespace zenith::testing
