// Tests of visibility maps against a real server's files: the images in the WAL are blind to them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <map>

#include "storage/postgres/control_file.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/redo/redo.hpp"
#include "storage/wal/decoder.hpp"
#include "tests/support/base_pages.hpp"
#include "tests/support/heap_workload.hpp"
#include "tests/support/real_wal.hpp"

namespace zenith::redo {
namespace {

constexpr uint32_t first_normal_oid = 16384;
constexpr size_t lsn_and_checksum_bytes = 10;

/// Keeps the map pages of the relations that were made after initdb, each changed at once by each
/// record that ingest puts for it; and the sizes of all forks.
class map_keeper final : public change_sink {
 public:
  explicit map_keeper(const pg::record& record) : record_(record) {}

  std::map<key, page> pages;
  std::map<key, std::optional<relation_state>> sizes;
  std::vector<std::string> problems;

  void put_record(const key& k, record_effect effect) override {
    if (k.kind != key_kind::relation_block || k.relation_fork() != fork_number::vm) return;
    if (k.c < first_normal_oid) return;
    if (k.is_all_blocks()) {
      added_ = k;
      return;
    }
    auto& p = pages[k];
    if (effect == record_effect::initialises) p = page{};
    if (const auto applied = apply(record_, k, p); !applied)
      problems.push_back(applied.error().message);
  }
  void put_relation(const relation_id& relation, fork_number fork,
                    std::optional<relation_state> state) override {
    if (state && added_ == key::all_blocks(relation, fork))
      for (block_number block = 0; block < state->blocks(); ++block)
        if (const auto k = key::block(relation, fork, block); !pages.contains(k))
          put_record(k, record_effect::initialises);
    added_.reset();
    const auto first = key::block(relation, fork, state ? state->blocks() : 0);
    const auto last = key::block(relation, fork, UINT32_MAX);
    pages.erase(pages.lower_bound(first), pages.upper_bound(last));
    sizes[key::size(relation, fork)] = std::move(state);
  }
  result<std::optional<relation_state>> current_relation(const relation_id& relation,
                                                         fork_number fork) override {
    return sizes[key::size(relation, fork)];
  }
  result<std::vector<key>> current_keys(const key& first, const key& last) override {
    std::vector<key> keys;
    for (auto at = sizes.lower_bound(first); at != sizes.end() && at->first <= last; ++at)
      if (at->second) keys.push_back(at->first);
    return keys;
  }
  void put_value(const key& k, bytes value) override { values_[k] = std::move(value); }
  void put_absent(const key& k) override { values_.erase(k); }
  void put_copy(const key&, const key&) override {}
  void put_transaction_end(int64_t) override {}
  result<std::optional<bytes>> current(const key& k) override {
    const auto found = values_.find(k);
    if (found == values_.end()) return std::optional<bytes>{};
    return std::optional<bytes>{found->second};
  }

 private:
  std::optional<key> added_;
  const pg::record& record_;
  // Where everything else begins does not matter here; records only need something to change.
  std::map<key, bytes> values_{{key::control(), pg::encode_control_data({})},
                               {key::next_full_xid(), bytes(8)},
                               {key::next_oid(), bytes(4)},
                               {key::next_multixact(), bytes(8)}};
};

/// Ingests all of a server's WAL.
void replay(const testing::real_wal& wal, pg::record& record, map_keeper& maps) {
  wal::decoder decoder(wal.identity, wal.first, lsn{});
  ASSERT_TRUE(decoder.feed(wal.first, wal.from(wal.first)));
  for (auto raw = decoder.next(); raw && *raw; raw = decoder.next()) {
    ASSERT_TRUE(pg::decode_record((*raw)->bytes, (*raw)->start, (*raw)->end, record));
    if (const auto ingested = ingest(record, maps); !ingested)
      maps.problems.push_back(ingested.error().message);
  }
}

struct comparison {
  size_t pages = 0;
  size_t bits_set = 0;
  std::vector<std::string> differences;
};

/// All maps of the server's files, but for LSNs and checksums. The server makes a map longer for
/// bits that it then does not set, which no record tells: empty pages at its end may be missing.
comparison compare(const std::filesystem::path& data, const map_keeper& maps) {
  comparison found;
  const testing::base_pages files(data);
  page empty;
  pg::page_init(empty, 0);
  const auto content = [](const page& p) { return p.view().subspan(lsn_and_checksum_bytes); };
  for (const auto& [size_key, main_size] : maps.sizes) {
    const auto relation = size_key.relation();
    if (size_key.fork != static_cast<uint8_t>(fork_number::main) || !main_size) continue;
    if (relation.relfilenode < first_normal_oid) continue;
    const auto map_size = maps.sizes.find(key::size(relation, fork_number::vm));
    const bool has_map = map_size != maps.sizes.end() && map_size->second;
    for (block_number block = 0;; ++block) {
      const auto k = key::block(relation, fork_number::vm, block);
      const auto theirs = files.read(relation, fork_number::vm, block);
      const auto ours = maps.pages.find(k);
      if (!theirs && block >= (has_map ? map_size->second->blocks() : 0)) break;
      ++found.pages;
      const page& our_page = ours == maps.pages.end() ? empty : ours->second;
      if (!theirs || !std::ranges::equal(content(our_page), content(*theirs)))
        found.differences.push_back(to_string(k) + (theirs ? "" : ": not in the server's file"));
      for (const auto byte : our_page.view().subspan(24))
        found.bits_set += static_cast<size_t>(std::popcount(std::to_integer<uint8_t>(byte)));
    }
  }
  return found;
}

/// `with_images`: checksums, for which hint bits are logged, and full-page images; else neither.
enum class wal_kind { without_images, with_images };
comparison judge(const std::function<void(const std::string&)>& workload, wal_kind kind) {
  const bool images = kind == wal_kind::with_images;
  const testing::temporary_directory directory;
  testing::postgres_server server(
      directory, {.initdb = images ? std::vector<std::string>{"-k"} : std::vector<std::string>{},
                  .configuration = std::string("full_page_writes = ") + (images ? "on" : "off") +
                                   "\nwal_level = logical\n"
                                   "wal_keep_size = 64GB\nmax_wal_size = 64GB\n"
                                   "autovacuum = off\n"});
  server.start();
  workload(server.conninfo());
  // The files of dropped relations are gone after a checkpoint.
  server.execute("checkpoint");
  server.stop();
  const auto wal = testing::read_real_wal(server.data());
  const auto record = std::make_unique<pg::record>();
  map_keeper maps(*record);
  replay(wal, *record, maps);
  for (const auto& problem : maps.problems) ADD_FAILURE() << problem;
  return compare(server.data(), maps);
}

TEST(visibility_replay, maps_of_several_pages_equal_the_servers_files) {
  const auto found = judge(testing::run_visibility_workload, wal_kind::without_images);
  EXPECT_EQ(found.differences, std::vector<std::string>{});
  EXPECT_GE(found.pages, 3u);
  EXPECT_GT(found.bits_set, 60'000u);
}

TEST(visibility_replay, maps_of_all_sorts_of_tables_equal_the_servers_files) {
  const auto found = judge([](const auto& conninfo) { testing::run_heap_workload(conninfo); },
                           wal_kind::without_images);
  EXPECT_EQ(found.differences, std::vector<std::string>{});
  EXPECT_GE(found.pages, 10u);
  EXPECT_GT(found.bits_set, 100u);
}

TEST(visibility_replay, maps_that_partly_come_as_images_equal_the_servers_files) {
  const auto found = judge([](const auto& conninfo) { testing::run_heap_workload(conninfo); },
                           wal_kind::with_images);
  EXPECT_EQ(found.differences, std::vector<std::string>{});
  EXPECT_GE(found.pages, 10u);
  EXPECT_GT(found.bits_set, 100u);
}

}  // namespace
}  // namespace zenith::redo
