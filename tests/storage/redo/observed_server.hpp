// observed_server: a real server, and its state rebuilt from its first files and its WAL.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "storage/redo/unnamed_changes.hpp"
#include "tests/support/cluster_files.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/postgres_server.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <catalog/pg_control.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::testing {

/// A server whose files right after initdb, or at a later stop, were kept.
class observed_server {
 public:
  explicit observed_server(const std::string& configuration = "",
                           std::vector<std::string> initdb = {"-k"})
      : server_(directory_,
                {std::move(initdb),
                 "autovacuum=off\nwal_recycle=off\nwal_keep_size=8GB\nmax_wal_size=8GB\n"
                 "max_prepared_transactions=10\nallow_in_place_tablespaces=on\n"
                 "max_replication_slots=10\n" +
                     configuration}) {
    begin_here();
  }

  /// The server is stopped: what is ingested later begins with its files as they are now.
  void begin_here() {
    before_ = cluster_files::read(server_.data());
    sink_ = memory_sink();
    before_.give_to(sink_);
    const auto control = load<ControlFileData>(before_.values[key::control()].data());
    start_ = lsn{control.checkPoint};
    // What a base gives besides the files: the counters.
    const CheckPoint& checkpoint = control.checkPointCopy;
    bytes xid(8), oid(4), multixact(8);
    store(xid.data(), checkpoint.nextXid.value);
    store(oid.data(), checkpoint.nextOid);
    store(multixact.data(), checkpoint.nextMulti);
    store(multixact.data() + 4, checkpoint.nextMultiOffset);
    sink_.set_value(key::next_full_xid(), xid);
    sink_.set_value(key::next_oid(), oid);
    sink_.set_value(key::next_multixact(), multixact);
  }

  postgres_server& server() { return server_; }
  /// Where its WAL begins after initdb.
  lsn start() const { return start_; }
  memory_sink& sink() { return sink_; }

  /// RelationCopyStorageUsingBuffer (bufmgr.c) logs map pages as if they were laid out as others
  /// are: what they hold is the hole of their images. WAL gives them with no bits set.
  enum class map_pages { same, fewer_bits };
  void expect_map_pages(map_pages how) { map_pages_ = how; }

  /// Stops the server and ingests its WAL; before its last record, the counters are compared with
  /// what this record, the shutdown checkpoint, says.
  void stop_and_replay() {
    if (server_.running()) server_.stop();
    std::vector<std::string> errors;
    lsn last;
    for_each_record(server_.data(), start_, [&](const pg::record& record) { last = record.start; });
    std::set<std::string> unforeseen;
    for_each_record(server_.data(), start_, [&](const pg::record& record) {
      if (record.start == last) expect_counters_of(record);
      if (auto done = sink_.replay(record); !done && errors.size() < 20)
        errors.push_back(done.error().message);
      for (const key& put : sink_.changed())
        if (!is_foreseen(record, put) && unforeseen.size() < 20)
          unforeseen.insert(pg::describe(record) + " puts " + to_string(put));
    });
    EXPECT_EQ(errors, std::vector<std::string>{});
    EXPECT_EQ(unforeseen, std::set<std::string>{});
    after_ = cluster_files::read(server_.data());
    SCOPED_TRACE(fmt::format("{} records, {} put_record, {} put_value, {} put_relation",
                             sink_.counts().records, sink_.counts().put_records,
                             sink_.counts().put_values, sink_.counts().put_relations));
    expect_values();
    expect_sizes();
    expect_visibility_maps();
  }

  const cluster_files& files() const { return after_; }

 private:
  /// What a record puts is what it refers to, or what would be unknown had its ingest failed. Where
  /// the size of a fork is unknown, so are its blocks.
  static bool is_foreseen(const pg::record& record, const key& put) {
    for (const pg::block_reference& block : record.blocks())
      if (put == block.page_key() || put == key::size(block.relation, block.fork)) return true;
    const auto unknown = redo::unnamed_changes(record);
    return std::ranges::any_of(unknown, [&](const key_pattern& keys) {
      return keys.matches(put) || (put.kind == key_kind::relation_block &&
                                   keys.matches(key::size(put.relation(), put.relation_fork())));
    });
  }

  void expect_counters_of(const pg::record& shutdown) {
    ASSERT_EQ(pg::describe(shutdown).substr(0, 24), "XLOG/CHECKPOINT_SHUTDOWN");
    ASSERT_EQ(shutdown.main_data.size(), sizeof(CheckPoint));
    const auto checkpoint = load<CheckPoint>(shutdown.main_data.data());
    EXPECT_EQ(sink_.number(key::next_full_xid()), checkpoint.nextXid.value);
    EXPECT_GE(sink_.number(key::next_oid()), checkpoint.nextOid);
    const auto multixact = *sink_.value(key::next_multixact());
    EXPECT_EQ(load<uint32_t>(multixact.data()), checkpoint.nextMulti);
    EXPECT_EQ(load<uint32_t>(multixact.data() + 4), checkpoint.nextMultiOffset);
    const auto control = load<ControlFileData>(sink_.value(key::control())->data());
    const CheckPoint& now = control.checkPointCopy;
    // A limit that moved and cut nothing is told by no record but a checkpoint.
    EXPECT_LE(static_cast<int32_t>(now.oldestXid - checkpoint.oldestXid), 0);
    EXPECT_LE(static_cast<int32_t>(now.oldestMulti - checkpoint.oldestMulti), 0);
    EXPECT_EQ(now.oldestCommitTsXid, checkpoint.oldestCommitTsXid);
    EXPECT_EQ(now.newestCommitTsXid, checkpoint.newestCommitTsXid);
    EXPECT_EQ(now.fullPageWrites, checkpoint.fullPageWrites);
  }

  /// Every value that a file holds, and no other.
  void expect_values() {
    const std::set<key> counters{key::next_full_xid(), key::next_oid(), key::next_multixact()};
    for (const auto& [k, value] : after_.values) {
      const auto ours = sink_.value(k);
      ASSERT_TRUE(ours.has_value()) << to_string(k) << " is missing";
      if (k == key::control()) {
        expect_control(load<ControlFileData>(value.data()), load<ControlFileData>(ours->data()));
      } else {
        EXPECT_TRUE(*ours == value)
            << to_string(k) << " differs from byte "
            << std::mismatch(ours->begin(), ours->end(), value.begin(), value.end()).first -
                   ours->begin();
      }
    }
    for (const auto& [k, value] : sink_.values())
      EXPECT_TRUE(after_.values.contains(k) || counters.contains(k))
          << to_string(k) << " is not on disk";
    for (const auto& [k, failed] : sink_.page_errors())
      if (failed.code != errc::unsupported) ADD_FAILURE() << failed.message;
  }

  /// All but when the file was written, its CRC, and the LSN that unlogged relations count on.
  static void expect_control(ControlFileData theirs, ControlFileData ours) {
    EXPECT_EQ(ours.crc,
              crc32c({reinterpret_cast<const std::byte*>(&ours), offsetof(ControlFileData, crc)}));
    ours.time = theirs.time;
    ours.unloggedLSN = theirs.unloggedLSN;
    ours.crc = theirs.crc;
    const auto* a = reinterpret_cast<const std::byte*>(&theirs);
    const auto* b = reinterpret_cast<const std::byte*>(&ours);
    for (size_t i = 0; i < sizeof theirs; ++i)
      EXPECT_EQ(a[i], b[i]) << "control data differ at byte " << i;
  }

  /// Forks that no WAL describes: those of unlogged relations, but for the init fork.
  bool is_unlogged(const key& size) const {
    return size.relation_fork() != fork_number::init &&
           after_.sizes.contains(key::size(size.relation(), fork_number::init));
  }

  void expect_sizes() {
    for (const auto& [k, size] : after_.sizes) {
      if (k.relation_fork() == fork_number::fsm || is_unlogged(k)) continue;
      const auto ours = sink_.blocks(k.relation(), k.relation_fork());
      if (!ours) {
        // A dropped relation's first file stays, empty, until the next checkpoint.
        EXPECT_EQ(size, 0u) << to_string(k) << " is missing";
        continue;
      }
      EXPECT_LE(*ours, size) << to_string(k);
      // The server may have more: pages that it added, all zeros, and did not use yet.
      for (block_number block = *ours; block < size; ++block)
        EXPECT_TRUE(after_.blocks.at(key::block(k.relation(), k.relation_fork(), block)).data ==
                    page{}.data)
            << to_string(k) << " has block " << block;
    }
    for (const auto& [k, state] : sink_.relations())
      EXPECT_TRUE(after_.sizes.contains(k)) << to_string(k) << " is not on disk";
  }

  void expect_visibility_maps() {
    for (auto [k, theirs] : after_.blocks) {
      if (k.relation_fork() != fork_number::vm ||
          is_unlogged(key::size(k.relation(), fork_number::vm)))
        continue;
      auto ours = sink_.read_block(k.relation(), k.relation_fork(), k.d);
      ASSERT_TRUE(ours.has_value()) << ours.error().message;
      const size_t checksum = 8;  // pd_checksum
      store(theirs.begin() + checksum, uint16_t{0});
      store(ours->begin() + checksum, uint16_t{0});
      if (map_pages_ == map_pages::same) {
        EXPECT_TRUE(theirs.data == ours->data) << to_string(k);
      } else {
        for (size_t i = 0; i < page_size_bytes; ++i)
          ASSERT_EQ(ours->data[i] & ~theirs.data[i], std::byte{0}) << to_string(k) << " byte " << i;
      }
    }
  }

  temporary_directory directory_;
  postgres_server server_;
  cluster_files before_;
  cluster_files after_;
  memory_sink sink_;
  lsn start_;
  map_pages map_pages_ = map_pages::same;
};

}  // namespace zenith::testing
