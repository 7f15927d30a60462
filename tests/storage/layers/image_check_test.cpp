// image_check: a real server's images agree with redo, and each changed byte is found where it is.
#include "storage/layers/image_check.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "storage/backup/import_directory.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/support/real_wal.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::postgres_server;
using zenith::testing::record_builder;

/// Every resource manager that can be checked (rmgrlist.h, rm_mask) has records in this.
const std::vector<std::string> statements = {
    "create extension bloom",
    "create sequence s",
    "select nextval('s') from generate_series(1, 100)",
    "create table t (id int primary key, v text, a int[], p point, n int)",
    "create index on t using hash (v)",
    "create index on t using gin (a)",
    "create index on t using gist (p)",
    "create index on t using spgist (p)",
    "create index on t using brin (id) with (pages_per_range = 1)",
    "create index on t using bloom (n)",
    "insert into t select i, 'v' || i, array[i % 9, i % 7], point(i % 50, i), i % 3 from "
    "generate_series(1, 3000) i",
    "update t set n = n + 1 where id % 5 = 0",
    "delete from t where id > 2000",
    "vacuum t",
    "insert into t select i, 'w' || i, array[i % 9], point(i, i), i from "
    "generate_series(3000, 3500) i",
    // A page that was cut off and grew again, one that was made anew, and one of a dropped file.
    "create table cut (v text)",
    "insert into cut select repeat('c', 500) from generate_series(1, 100)",
    "delete from cut where ctid >= '(2,1)'",
    "vacuum cut",
    "insert into cut select repeat('d', 500) from generate_series(1, 100)",
    "truncate cut",
    "create table haystack (v text)",
    "insert into haystack values ('a needle in it')",
    "insert into haystack values ('more hay')",
    "update haystack set v = 'other hay' where v = 'more hay'",
    "drop table cut",
    "vacuum full t",
};

/// A server's files as initdb left them, and all its records, each with images for checking.
struct checked_history {
  std::shared_ptr<memory_layer> base = std::make_shared<memory_layer>(lsn{});
  lsn start;
  zenith::testing::real_wal wal;
};

const checked_history& history() {
  static const checked_history made = [] {
    const zenith::testing::temporary_directory directory;
    postgres_server server(
        directory,
        postgres_server::options{
            {"--wal-segsize=4"},
            "wal_consistency_checking = 'all'\nfull_page_writes = off\nautovacuum = off\n"
            "wal_keep_size = 4GB\nmax_wal_size = 4GB\ncheckpoint_timeout = 1h\n"});
    checked_history history;
    const auto imported = backup::import_directory(
        posix_file_system(), server.data(), [&](const key& k, byte_view value) -> result<void> {
          history.base->put_value(k, lsn{1}, value);
          return {};
        });
    if (!imported) throw std::runtime_error(imported.error().message);
    history.base->publish(lsn{1});
    history.start = imported->base;
    server.start();
    for (const std::string& statement : statements) server.execute(statement);
    server.stop();
    history.wal = zenith::testing::read_real_wal(server.data());
    return history;
  }();
  return made;
}

class image_check : public ::testing::Test {
 protected:
  struct owned_record {
    lsn start;
    lsn end;
    bytes data;
  };

  image_check() {
    const auto& wal = history().wal;
    wal::decoder decode(wal.identity, wal.first, lsn{});
    EXPECT_TRUE(decode.feed(wal.first, wal.from(wal.first)));
    for (auto record = decode.next(); record && *record; record = decode.next())
      if ((*record)->start >= history().start)
        records_.push_back(
            {(*record)->start, (*record)->end, {(*record)->bytes.begin(), (*record)->bytes.end()}});
  }

  static pg::record decoded(const owned_record& one) {
    pg::record record;
    EXPECT_TRUE(pg::decode_record(one.data, one.start, one.end, record));
    return record;
  }
  static bool is_for_checking(const pg::block_reference& block) {
    return block.has_image && !block.image.apply;
  }

  /// Where the page byte that begins `text` lies in the first record whose image for checking
  /// shows it: the record, the byte in the record, the byte in the page.
  struct place {
    size_t record = 0;
    size_t in_record = 0;
    uint32_t in_page = 0;
    key page_key;
  };
  place find_in_images(std::string_view text) const {
    for (size_t i = 0; i < records_.size(); ++i) {
      const pg::record record = decoded(records_[i]);
      for (const auto& block : record.blocks()) {
        if (!is_for_checking(block)) continue;
        const byte_view data = block.image.data;
        const auto found = std::ranges::search(data, as_bytes(text));
        if (found.empty()) continue;
        const auto at = static_cast<uint32_t>(found.begin() - data.begin());
        return {i, static_cast<size_t>(data.data() - records_[i].data.data()) + at,
                at < block.image.hole_offset ? at : at + block.image.hole_length, block.page_key()};
      }
    }
    ADD_FAILURE() << "no image shows " << text;
    return {};
  }

  /// Ingests everything with checking on.
  void ingest_all() {
    ingestor ingest(layer_, {{base_, lsn::max()}},
                    [](const wal::raw_record& record, const error& cause) {
                      ADD_FAILURE() << to_string(record.start) << ": " << cause.message;
                    });
    ingest.check_images([this](const std::string& what) { told_.push_back(what); });
    for (const owned_record& one : records_) {
      const auto done = ingest.ingest({one.start, one.end, one.data});
      ASSERT_TRUE(done) << done.error().message;
    }
    images_ = ingest.images();
  }
  result<page> read(const key& k, lsn at) const {
    page p;
    ZENITH_TRY(view({{layer_, lsn::max()}, {base_, lsn::max()}}, lsn{}, lsn::max())
                   .read_page(k.relation(), k.relation_fork(), k.d, at, p));
    return p;
  }

  std::vector<owned_record> records_;
  std::shared_ptr<memory_layer> base_ = history().base;
  std::shared_ptr<memory_layer> layer_ = std::make_shared<memory_layer>(history().start);
  std::vector<std::string> told_;
  image_counts images_;
};

TEST_F(image_check, of_every_resource_manager_on_a_real_server_finds_no_mismatch) {
  uint64_t carried = 0;
  std::set<std::string> managers;
  for (const owned_record& one : records_) {
    const pg::record record = decoded(one);
    for (const auto& block : record.blocks())
      if (is_for_checking(block)) {
        ++carried;
        managers.insert(pg::resource_manager_name(record.rmgr));
      }
  }
  EXPECT_EQ(managers, (std::set<std::string>{"Heap", "Heap2", "Btree", "Hash", "Gin", "Gist",
                                             "Sequence", "SPGist", "BRIN", "Generic"}));
  ingest_all();
  EXPECT_EQ(told_, std::vector<std::string>{});
  EXPECT_EQ(images_.checked, carried);
  EXPECT_EQ(images_.mismatches, 0u);
  EXPECT_EQ(images_.failures, 0u);
}

TEST_F(image_check, gives_the_same_with_room_for_one_page_only) {
  const auto newest = [this] {
    return view({{layer_, lsn::max()}, {base_, lsn::max()}}, lsn{}, lsn::max());
  };
  image_checker checker(layer_, newest(), 1,
                        [this](const std::string& what) { told_.push_back(what); });
  ingestor ingest(layer_, {{base_, lsn::max()}}, nullptr);
  for (const owned_record& one : records_) {
    ASSERT_TRUE(ingest.ingest({one.start, one.end, one.data}));
    checker.check(decoded(one));
    ASSERT_LE(checker.pages_kept(), 1u);
  }
  EXPECT_EQ(told_, std::vector<std::string>{});
  EXPECT_GT(checker.counts().checked, 1000u);
  EXPECT_EQ(checker.counts().mismatches + checker.counts().failures, 0u);
}

TEST_F(image_check, goes_on_over_layers_from_what_it_knows) {
  const place changed = find_in_images("needle");
  bytes& raw = records_[changed.record].data;
  raw[changed.in_record] ^= std::byte{0x20};
  record_builder::set_crc(raw);
  std::vector<layer_reference> below{{base_, lsn::max()}};
  ingestor ingest(layer_, below, nullptr);
  ingest.check_images([this](const std::string& what) { told_.push_back(what); });
  size_t left = 0;
  for (const owned_record& one : records_) {
    if (++left % 50 == 0) {
      below.insert(below.begin(), {layer_, lsn::max()});
      layer_ = std::make_shared<memory_layer>(layer_->published());
      ingest.continue_in(layer_, below);
    }
    ASSERT_TRUE(ingest.ingest({one.start, one.end, one.data}));
  }
  // The changed byte and the next image of its page, as in one layer.
  EXPECT_EQ(told_.size(), 2u);
  EXPECT_EQ(ingest.images().mismatches, 2u);
  EXPECT_EQ(ingest.images().failures, 0u);
}

TEST_F(image_check, finds_a_byte_changed_in_an_image_there_and_where_the_next_image_disagrees) {
  const place changed = find_in_images("needle");
  bytes& raw = records_[changed.record].data;
  raw[changed.in_record] ^= std::byte{0x20};
  record_builder::set_crc(raw);
  ingest_all();
  // Checking goes on from the image, so the next image of the page, which is right, differs too.
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(images_.mismatches, 2u);
  EXPECT_EQ(images_.failures, 0u);
  const owned_record& record = records_[changed.record];
  EXPECT_EQ(told_[0],
            fmt::format("{} as of {} differs from the image in {} (block reference 0) first at "
                        "byte {}: redo gives 0x6e, the server has 0x4e",
                        to_string(changed.page_key), to_string(record.end),
                        pg::describe(decoded(record)), changed.in_page));
  EXPECT_NE(told_[1].find(fmt::format("first at byte {}: redo gives 0x4e, the server has 0x6e",
                                      changed.in_page)),
            std::string::npos)
      << told_[1];
}

TEST_F(image_check, finds_a_byte_that_redo_gets_wrong_once_and_serves_what_redo_gave) {
  const place changed = find_in_images("needle");
  // The record's own tuple: what redo puts on the page is not what the server has, from here on.
  bytes& raw = records_[changed.record].data;
  const pg::record record = decoded(records_[changed.record]);
  ASSERT_EQ(record.blocks()[0].block, 0u);
  const byte_view data = record.blocks()[0].data;
  const auto in_data = std::ranges::search(data, as_bytes(std::string_view("needle")));
  ASSERT_FALSE(in_data.empty());
  raw[static_cast<size_t>(&*in_data.begin() - raw.data())] ^= std::byte{0x20};
  record_builder::set_crc(raw);
  ingest_all();
  // Later records of the page carry images too: they go on from the first one's.
  EXPECT_EQ(images_.mismatches, 1u);
  EXPECT_EQ(images_.failures, 0u);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_NE(told_[0].find(fmt::format("first at byte {}: redo gives 0x4e, the server has 0x6e",
                                      changed.in_page)),
            std::string::npos)
      << told_[0];
  const auto served = read(changed.page_key, records_[changed.record].end);
  ASSERT_TRUE(served) << served.error().message;
  EXPECT_EQ(served->data[changed.in_page], std::byte{0x4e});
}

TEST_F(image_check, tells_what_redo_cannot_make_and_goes_on_from_the_image) {
  const place changed = find_in_images("needle");
  // No such offset number on the page: redo refuses the insert (xl_heap_insert, offnum).
  bytes& raw = records_[changed.record].data;
  const pg::record record = decoded(records_[changed.record]);
  store(raw.data() + (record.main_data.data() - raw.data()), uint16_t{2000});
  record_builder::set_crc(raw);
  ingest_all();
  EXPECT_EQ(images_.failures, 1u);
  EXPECT_EQ(images_.mismatches, 0u);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_NE(told_[0].find("cannot be compared with its image"), std::string::npos) << told_[0];
  EXPECT_FALSE(read(changed.page_key, records_[changed.record].end));
}

TEST_F(image_check, is_not_done_where_nobody_asked_for_it) {
  const place changed = find_in_images("needle");
  records_[changed.record].data[changed.in_record] ^= std::byte{0x20};
  ingestor ingest(layer_, {{base_, lsn::max()}}, nullptr);
  for (const owned_record& one : records_)
    ASSERT_TRUE(ingest.ingest({one.start, one.end, one.data}));
  EXPECT_EQ(ingest.images().checked, 0u);
}

}  // namespace
}  // namespace zenith::layers
