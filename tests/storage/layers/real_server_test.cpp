// From a real server's base and WAL to its files at each of its clean stops.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "storage/layers/image_layer.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/mask.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/support/cluster_files.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/real_wal.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::cluster_files;

const std::vector<std::string> phases[] = {
    {"create table t (id int primary key, v text, n int)", "create index on t (n, v)",
     "insert into t select i, repeat('x', i % 200), i % 17 from generate_series(1, 20000) i",
     "update t set n = n + 1 where id % 7 = 0", "create unlogged table u (a int primary key)",
     "insert into u select generate_series(1, 100)", "create sequence s",
     "select nextval('s') from generate_series(1, 100)", "vacuum t"},
    {"delete from t where id > 9000", "vacuum t", "checkpoint",
     "insert into t select i, 'again', 3 from generate_series(30000, 34000) i",
     "create database copied template template1 strategy file_copy",
     "create database logged template template1 strategy wal_log",
     "begin; savepoint a; update t set n = 0 where id = 5; savepoint b; delete from t where id = "
     "6; "
     "rollback to b; commit",
     "begin; update t set n = 9 where id < 50; prepare transaction 'p1'",
     "select id from t where id between 100 and 200 for share"},
    {"commit prepared 'p1'", "truncate u", "vacuum full pg_class", "vacuum full t",
     "drop database copied", "create table dropped as select * from t", "drop table dropped",
     "alter table t add column w int default 7", "update t set w = id where id % 3 = 0",
     "vacuum freeze t", "cluster t using t_pkey", "reindex table t"},
};

/// A data directory after a clean stop.
struct clean_stop {
  cluster_files files;
  pg::control_file control;

  /// The relation's main fork begins anew at each crash, and is not in the WAL.
  bool is_unlogged(const relation_id& relation) const {
    return files.sizes.contains(key::size(relation, fork_number::init));
  }
};

template <class... T>
bytes packed(T... values) {
  bytes out((sizeof(T) + ...));
  size_t at = 0;
  ((store(out.data() + at, values), at += sizeof(T)), ...);
  return out;
}

/// The directory, with the counters that its control file holds as values of their own.
clean_stop read_clean_stop(const std::filesystem::path& data) {
  clean_stop stop{cluster_files::read(data), {}};
  auto& values = stop.files.values;
  const auto control = pg::decode_control_file(values[key::control()]);
  if (!control) throw std::runtime_error(control.error().message);
  stop.control = *control;
  const pg::checkpoint& last = stop.control.last_checkpoint;
  values[key::next_full_xid()] = packed(last.next_full_xid);
  values[key::next_oid()] = packed(last.next_oid);
  values[key::next_multixact()] = packed(last.next_multixact, last.next_multixact_offset);
  return stop;
}

/// Runs the phases, stopping the server after each; keeps its files as of each stop.
struct history_of_a_server {
  zenith::testing::real_wal wal;
  std::vector<clean_stop> stops;  ///< the first: as initdb left it
  uint32_t logged_database = 0;   ///< made with strategy wal_log
};

const history_of_a_server& sample_history() {
  static const history_of_a_server history = [] {
    const zenith::testing::temporary_directory directory;
    zenith::testing::postgres_server server(
        directory, {{"-k", "--wal-segsize=4"},
                    "wal_keep_size = 4GB\nmax_wal_size = 4GB\nautovacuum = off\n"
                    "max_prepared_transactions = 5\nfull_page_writes = on\n"});
    history_of_a_server made;
    made.stops.push_back(read_clean_stop(server.data()));
    for (const auto& phase : phases) {
      server.start();
      for (const std::string& statement : phase) server.execute(statement);
      const auto oid = server.value("select oid from pg_database where datname = 'logged'");
      if (!oid.empty()) made.logged_database = static_cast<uint32_t>(std::stoul(oid));
      server.stop();
      made.stops.push_back(read_clean_stop(server.data()));
    }
    made.wal = zenith::testing::read_real_wal(server.data());
    return made;
  }();
  return history;
}

/// The base image in a file and all WAL after it in memory.
class real_server_test : public ::testing::Test {
 protected:
  void SetUp() override {
    const clean_stop& start = history_.stops.front();
    base_ = end_of_record(start.control.checkpoint_record);
    write_base(start.files);
    auto opened = image_layer::open(files_, name_);
    ASSERT_TRUE(opened) << opened.error().message;
    image_ = *opened;
    layer_ = std::make_shared<memory_layer>(base_);
    ingestor ingest(layer_, {{image_, lsn::max()}},
                    [](const wal::raw_record& record, const error& cause) {
                      ADD_FAILURE() << to_string(record.start) << ": " << cause.message;
                    });
    for_each_record([&](const wal::raw_record& record) {
      if (record.start < base_) return;
      const auto done = ingest.ingest(record);
      ASSERT_TRUE(done) << done.error().message;
      ends_.push_back(record.end);
    });
  }

  template <class Each>
  void for_each_record(const Each& each) const {
    const auto& wal = history_.wal;
    wal::decoder decode(wal.identity, wal.first, lsn{});
    ASSERT_TRUE(decode.feed(wal.first, wal.from(wal.first)));
    for (auto record = decode.next(); record && *record; record = decode.next()) each(**record);
  }
  lsn end_of_record(lsn start) const {
    lsn end;
    for_each_record([&](const wal::raw_record& record) {
      if (record.start == start) end = record.end;
    });
    EXPECT_TRUE(end.is_valid()) << to_string(start);
    return end;
  }

  void write_base(const cluster_files& from) {
    std::map<key, bytes> entries = from.values;
    for (const auto& [k, blocks] : from.sizes)
      entries[k] = relation_state::of_base(blocks).encode();
    for (const auto& [k, p] : from.blocks) entries[k] = bytes(p.data.begin(), p.data.end());
    auto writer = image_writer::create(files_, name_, base_);
    ASSERT_TRUE(writer);
    for (const auto& [k, value] : entries) ASSERT_TRUE(writer->add(k, value));
    ASSERT_TRUE(writer->finish());
  }

  /// Every block of every fork at the last stop, and one past each fork's end.
  std::vector<key> last_blocks() const {
    std::vector<key> all;
    for (const auto& [k, blocks] : history_.stops.back().files.sizes)
      for (block_number block = 0; block <= blocks; ++block)
        all.push_back(key::block(k.relation(), k.relation_fork(), block));
    return all;
  }

  view seen(std::shared_ptr<page_cache> cache = nullptr) const {
    return view({{layer_, ends_.back()}, {image_, lsn::max()}}, base_, ends_.back(),
                std::move(cache));
  }

  const history_of_a_server& history_ = sample_history();
  zenith::testing::memory_file_system files_;
  const path name_ = "/base.image";
  lsn base_;
  std::shared_ptr<const image_layer> image_;
  std::shared_ptr<memory_layer> layer_;
  std::vector<lsn> ends_;
};

/// The resource manager whose mask fits a page (nbtree.h, sequence.c: sizes of special spaces).
pg::resource_manager owner_of(const page& p, fork_number fork) {
  if (fork == fork_number::vm) return pg::resource_manager::xlog;
  switch (page_size_bytes - pg::page_special(p)) {
    case 16:
      return pg::resource_manager::btree;
    case 8:
      return pg::resource_manager::sequence;
    default:
      return pg::resource_manager::heap;
  }
}

/// Whether the server's own recovery would have these bytes: of three things WAL says less than
/// the file shows. A sequence's file has the value given out last, its WAL one that lies ahead
/// (sequence.c, SEQ_LOG_VALS). CREATE DATABASE with strategy wal_log logs visibility maps as pages
/// with a hole, which all of their bits lie in (bufmgr.c, RelationCopyStorageUsingBuffer).
bool is_as_logged(const key& block, const page& p, uint32_t logged_database) {
  if (block.relation_fork() == fork_number::vm) return block.relation().database != logged_database;
  return owner_of(p, block.relation_fork()) != pg::resource_manager::sequence;
}

/// Compares a block with the file's; gives whether they are equal.
bool compare_block(const view& v, const key& k, page expected, lsn at) {
  const std::string name = fmt::format("{} at {}", to_string(k), to_string(at));
  page found;
  const auto done = v.read_page(k.relation(), k.relation_fork(), k.d, at, found);
  EXPECT_TRUE(done) << done.error().message;
  if (!done) return false;
  // Redo does not know whether hint bits are logged, and leaves a heap page's LSN at VISIBLE; an
  // empty index's init fork is written before its LSN is known (btbuildempty).
  if (k.relation_fork() == fork_number::main)
    EXPECT_LE(pg::page_lsn(found), pg::page_lsn(expected)) << name;
  const auto rmgr = owner_of(expected, k.relation_fork());
  pg::mask_page(rmgr, k.d, expected);
  pg::mask_page(rmgr, k.d, found);
  EXPECT_TRUE(found.data == expected.data) << name;
  return found.data == expected.data;
}

TEST_F(real_server_test, forks_at_each_clean_stop_equal_the_servers_files) {
  const auto cache = std::make_shared<page_cache>(size_t{64} << 20);
  for (const auto& cached : {std::shared_ptr<page_cache>{}, cache, cache}) {
    const view v = seen(cached);
    size_t equal = 0;
    for (const clean_stop& stop : history_.stops) {
      const lsn at = end_of_record(stop.control.checkpoint_record);
      const auto is_judge = [&](const key& k) {
        return k.relation_fork() == fork_number::init ||
               (k.relation_fork() != fork_number::fsm && !stop.is_unlogged(k.relation()));
      };
      for (const auto& [k, blocks] : stop.files.sizes) {
        if (!is_judge(k)) continue;
        const auto size = v.relation(k.relation(), k.relation_fork(), at);
        ASSERT_TRUE(size) << size.error().message;
        EXPECT_TRUE(*size && (*size)->blocks() == blocks) << to_string(k) << " " << to_string(at);
      }
      for (const auto& [k, p] : stop.files.blocks)
        if (is_judge(k) && is_as_logged(k, p, history_.logged_database))
          equal += compare_block(v, k, p, at);
    }
    EXPECT_GT(equal, 5000u);
  }
}

TEST_F(real_server_test, no_fork_exists_at_a_clean_stop_that_the_server_does_not_have) {
  const view v = seen();
  const key first{key_kind::relation_size};
  const key last{key_kind::relation_size, UINT32_MAX, UINT32_MAX, UINT32_MAX, 3};
  for (const clean_stop& stop : history_.stops) {
    const auto keys = v.keys(first, last, end_of_record(stop.control.checkpoint_record));
    ASSERT_TRUE(keys) << keys.error().message;
    for (const key& k : *keys)
      if (k.relation_fork() != fork_number::fsm)
        EXPECT_TRUE(stop.files.sizes.contains(k)) << to_string(k);
  }
}

TEST_F(real_server_test, counters_maps_databases_and_slrus_at_each_clean_stop_are_the_servers) {
  const view v = seen();
  for (const clean_stop& stop : history_.stops) {
    const lsn at = end_of_record(stop.control.checkpoint_record);
    for (const auto& [k, expected] : stop.files.values) {
      if (k.kind == key_kind::control) continue;
      const auto found = v.value(k, at);
      ASSERT_TRUE(found) << to_string(k) << ": " << found.error().message;
      EXPECT_TRUE(*found && **found == expected) << to_string(k) << " at " << to_string(at);
    }
    const auto databases = v.keys({key_kind::database}, key::database(UINT32_MAX, UINT32_MAX), at);
    ASSERT_TRUE(databases);
    for (const key& k : *databases) EXPECT_TRUE(stop.files.values.contains(k)) << to_string(k);
  }
}

TEST_F(real_server_test, any_block_at_any_lsn_is_the_same_with_and_without_a_cache) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const view without = seen();
  const view with = seen(std::make_shared<page_cache>(size_t{4} << 20));
  const std::vector<key> all = last_blocks();
  for (int i = 0; i < 4000; ++i) {
    const key k = all[random() % all.size()];
    const lsn at = ends_[random() % ends_.size()];
    page a;
    page b;
    const auto read_a = without.read_page(k.relation(), k.relation_fork(), k.d, at, a);
    const auto read_b = with.read_page(k.relation(), k.relation_fork(), k.d, at, b);
    ASSERT_EQ(read_a.has_value(), read_b.has_value());
    if (read_a)
      ASSERT_TRUE(a.data == b.data) << to_string(k) << " at " << to_string(at);
    else
      ASSERT_TRUE(read_a.error().code == errc::not_found ||
                  read_a.error().code == errc::out_of_range)
          << read_a.error().message;
  }
}

// Run under ThreadSanitizer to judge the memory order as well.
TEST_F(real_server_test, what_readers_saw_while_wal_was_ingested_is_what_is_there_afterwards) {
  struct sighting {
    key k;
    lsn at;
    std::optional<uint32_t> crc;  // none: there was no such block
  };
  const auto growing = std::make_shared<memory_layer>(base_);
  const auto cache = std::make_shared<page_cache>(size_t{4} << 20);
  const std::vector<key> all = last_blocks();
  std::atomic<int> failures{0};
  const auto look = [&](unsigned seed, std::vector<sighting>& seen_now) {
    std::mt19937 random(seed);
    for (lsn at; at < ends_.back();) {
      at = growing->published();
      const view v({{growing, at}, {image_, lsn::max()}}, base_, at, cache);
      const key k = all[random() % all.size()];
      page p;
      const auto read = v.read_page(k.relation(), k.relation_fork(), k.d, at, p);
      if (!read && read.error().code != errc::not_found && read.error().code != errc::out_of_range)
        ++failures;
      seen_now.push_back({k, at, read ? std::optional(crc32c(p.view())) : std::nullopt});
    }
  };
  std::vector<sighting> seen_by[2];
  std::thread first(look, 1, std::ref(seen_by[0]));
  std::thread second(look, 2, std::ref(seen_by[1]));
  ingestor ingest(growing, {{image_, lsn::max()}}, nullptr);
  for_each_record([&](const wal::raw_record& record) {
    if (record.start >= base_ && !ingest.ingest(record)) ++failures;
  });
  first.join();
  second.join();
  EXPECT_EQ(failures, 0);
  const view v = seen();
  for (const auto& sightings : seen_by)
    for (const sighting& s : sightings) {
      page p;
      const auto read = v.read_page(s.k.relation(), s.k.relation_fork(), s.k.d, s.at, p);
      ASSERT_EQ(read.has_value(), s.crc.has_value()) << to_string(s.k) << " " << to_string(s.at);
      if (read) ASSERT_EQ(crc32c(p.view()), *s.crc) << to_string(s.k) << " " << to_string(s.at);
    }
}

TEST_F(real_server_test, every_commit_is_found_by_its_time) {
  const auto newest = layer_->newest_time(lsn::max()).value();
  ASSERT_TRUE(newest);
  const auto first = layer_->first_later_than(0, lsn::max()).value();
  ASSERT_TRUE(first);
  EXPECT_GE(first->start, base_);
  EXPECT_FALSE(layer_->first_later_than(*newest, lsn::max()).value());
  EXPECT_EQ(layer_->first_later_than(*newest - 1, lsn::max()).value()->time_us, *newest);
}

}  // namespace
}  // namespace zenith::layers
