// delta_layer: what is written is found again, by key, by range and by time.
#include "storage/layers/delta_layer.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/memory_file_system.hpp"
#include "tests/support/sample_versions.hpp"

namespace zenith::layers {
namespace {

using state_kind = key_history::state_kind;
using zenith::testing::for_each_entry;
using zenith::testing::memory_file_system;
using zenith::testing::random_versions;
using zenith::testing::read_all;
using zenith::testing::sample_version;
using zenith::testing::sample_versions;

const path file_name = "/timelines/t/layers/00000001.delta";
const layer_name name{{}, 1, layer_kind::delta};
constexpr lsn after{0x2000028};
constexpr lsn last{0x3000000};
const key last_key{key_kind::transaction_ends, ~0u, ~0u, ~0u, 3, ~0u};

class delta_layer_test : public ::testing::Test {
 protected:
  result<layer_file_info> write(const sample_versions& all, int level = 1) {
    ZENITH_TRY_ASSIGN(auto out, delta_writer::create(files_, file_name, name, after, last, level));
    result<void> outcome;
    for_each_entry(all, [&](const version_entry& entry) {
      if (outcome) outcome = out.add(entry);
    });
    ZENITH_TRY(outcome);
    return out.finish();
  }
  std::shared_ptr<const delta_layer> open() {
    auto opened = delta_layer::open(files_, file_name, cache_, block_file_reader::new_cache_file());
    EXPECT_TRUE(opened) << opened.error().message;
    return opened.value_or(nullptr);
  }

  memory_file_system files_;
  block_cache cache_{size_t{1} << 20};
};

/// What collect has to find, as the versions themselves say it.
void expect_history(const layer& from, const key& k, const sample_versions& all, lsn since,
                    lsn until) {
  key_history found;
  const auto done = from.collect(k, since, until, found);
  ASSERT_TRUE(done) << done.error().message;
  key_history expected;
  if (const auto versions = all.find(k); versions != all.end()) {
    for (const auto& [at, v] : versions->second) {
      if (at > until || at <= since || expected.state != state_kind::open) continue;
      switch (v.kind) {
        case version_kind::initialises:
        case version_kind::changes:
          ASSERT_TRUE(expected.add({v.record_start, at, v.data}));
          if (v.kind == version_kind::initialises) expected.end_with_zeros();
          break;
        case version_kind::value:
          expected.end_with_value(at, v.data);
          break;
        case version_kind::absent:
          expected.end_with_absence(at);
          break;
        case version_kind::copy:
          expected.end_with_copy(at, v.source, v.source_at);
          break;
      }
    }
  }
  EXPECT_EQ(found.state, expected.state);
  EXPECT_EQ(found.newest, expected.newest);
  EXPECT_EQ(found.source, expected.source);
  EXPECT_EQ(found.source_lsn, expected.source_lsn);
  EXPECT_TRUE(std::ranges::equal(found.value, expected.value));
  ASSERT_EQ(found.records.size(), expected.records.size());
  for (size_t i = 0; i < found.records.size(); ++i) {
    EXPECT_EQ(found.records[i].start, expected.records[i].start);
    EXPECT_EQ(found.records[i].end, expected.records[i].end);
    EXPECT_TRUE(std::ranges::equal(found.records[i].bytes, expected.records[i].bytes));
  }
}

TEST_F(delta_layer_test, a_page_and_the_records_on_it_lie_in_one_block_that_is_not_kept) {
  constexpr block_number blocks = 40;
  const auto key_of = [](block_number b) { return key::block({1663, 5, 9}, fork_number::main, b); };
  sample_versions all;
  for (block_number b = 0; b < blocks; ++b) {
    lsn at = after + 8;
    all[key_of(b)][at] = {.kind = version_kind::value, .data = bytes(page_size_bytes)};
    for (unsigned i = 0; i < b % 9; ++i) {
      const lsn start = at;
      at = at + 400;
      all[key_of(b)][at] = {
          .kind = version_kind::changes, .data = bytes(350), .record_start = start};
    }
  }
  ASSERT_TRUE(write(all));
  const auto layer = open();
  ASSERT_EQ(layer->file().index_levels(), 0u);
  EXPECT_EQ(layer->file().blocks(), blocks);
  for (block_number b = 0; b < blocks; ++b) {
    SCOPED_TRACE(b);
    expect_history(*layer, key_of(b), all, {}, lsn::max());
  }
  EXPECT_EQ(cache_.size_bytes(), 0u) << "the page made of it is what is kept";
}

TEST_F(delta_layer_test, records_of_one_page_as_large_as_a_page_are_not_kept_but_small_blocks_are) {
  const key large = key::block({1663, 5, 9}, fork_number::main, 1);
  const key small = key::block({1663, 5, 9}, fork_number::main, 2);
  sample_versions all;
  const auto add = [&](const key& k, lsn start, size_t size_bytes, version_kind kind) {
    all[k][start + size_bytes] = {.kind = kind, .data = bytes(size_bytes), .record_start = start};
  };
  // Its image lies in a record without the page's hole.
  add(large, after + 8, 8000, version_kind::initialises);
  add(large, after + 9000, 600, version_kind::changes);
  add(small, after + 10'000, 4500, version_kind::initialises);
  ASSERT_TRUE(write(all));
  const auto layer = open();
  ASSERT_EQ(layer->file().blocks(), 2u);
  expect_history(*layer, large, all, {}, lsn::max());
  EXPECT_EQ(cache_.size_bytes(), 0u);
  expect_history(*layer, small, all, {}, lsn::max());
  EXPECT_GT(cache_.size_bytes(), 0u);
}

TEST_F(delta_layer_test, gives_the_versions_of_each_key_that_count_newest_first) {
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto all = random_versions(seed, 400, after, last);
    ASSERT_TRUE(write(all));
    const auto layer = open();
    std::mt19937_64 random(seed);
    for (const auto& [k, versions] : all) {
      SCOPED_TRACE(to_string(k));
      expect_history(*layer, k, all, {}, lsn::max());
      const lsn some = std::next(versions.begin(), random() % versions.size())->first;
      expect_history(*layer, k, all, {}, some);
      expect_history(*layer, k, all, {}, some - 1);
      expect_history(*layer, k, all, some, lsn::max());
      expect_history(*layer, k, all, some - 1, some);
      key other = k;
      ++other.d;
      expect_history(*layer, other, all, {}, lsn::max());
    }
    ASSERT_TRUE(files_.remove(file_name));
  }
}

TEST_F(delta_layer_test, a_cursor_gives_every_version_of_a_range_that_counts) {
  const auto all = random_versions(7, 300, after, last);
  ASSERT_TRUE(write(all));
  const auto layer = open();
  std::mt19937_64 random(7);
  for (int i = 0; i < 20; ++i) {
    key from = std::next(all.begin(), random() % all.size())->first;
    key to = std::next(all.begin(), random() % all.size())->first;
    lsn until = lsn{after.value() + random() % (last - after)};
    if (i == 0) from = key{}, to = last_key, until = lsn::max();
    sample_versions expected;
    for (const auto& [k, versions] : all)
      for (const auto& [at, v] : versions)
        if (k >= from && k <= to && at <= until) expected[k][at] = v;
    const auto found = read_all(*layer->cursor(from, to, until));
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(*found == expected);
  }
}

TEST_F(delta_layer_test, lists_keys_that_have_a_version_that_counts_but_no_blocks) {
  const auto all = random_versions(11, 500, after, last);
  ASSERT_TRUE(write(all));
  const auto layer = open();
  for (const lsn until : {lsn::max(), lsn{after.value() + (last - after) / 2}, after}) {
    std::vector<key> expected;
    for (const auto& [k, versions] : all)
      if (k.kind != key_kind::relation_block && versions.rbegin()->first <= until)
        expected.push_back(k);
    std::vector<key> found;
    ASSERT_TRUE(layer->list(key{}, last_key, until, [&](const key& k) { found.push_back(k); }));
    EXPECT_EQ(found, expected);
  }
}

TEST_F(delta_layer_test, says_of_the_file_what_a_manifest_needs) {
  const auto all = random_versions(5, 100, after, last);
  const auto info = write(all);
  ASSERT_TRUE(info) << info.error().message;
  size_t entries = 0;
  std::set<lsn> copied_at;
  for (const auto& [k, versions] : all) {
    entries += versions.size();
    for (const auto& [at, v] : versions)
      if (v.kind == version_kind::copy) copied_at.insert(v.source_at);
  }
  EXPECT_EQ(info->name, name);
  EXPECT_EQ(info->first_key, all.begin()->first);
  EXPECT_EQ(info->last_key, all.rbegin()->first);
  EXPECT_EQ(info->after, after);
  EXPECT_EQ(info->last, last);
  EXPECT_EQ(info->entries, entries);
  EXPECT_EQ(info->keys, all.size());
  EXPECT_EQ(info->copied_at, std::vector<lsn>(copied_at.begin(), copied_at.end()));
  EXPECT_EQ(info->size_bytes, open()->file().size_bytes());
}

TEST_F(delta_layer_test, versions_that_do_not_belong_are_refused) {
  auto out = delta_writer::create(files_, file_name, name, after, last, 1);
  ASSERT_TRUE(out) << out.error().message;
  const auto refused = [&](const version_entry& entry) {
    const auto done = out->add(entry);
    return !done && done.error().code == errc::invalid_argument;
  };
  version_entry entry{key::next_oid(), last, version_kind::absent, {}, {}, {}, {}};
  EXPECT_TRUE(refused({key::control(), after, version_kind::absent, {}, {}, {}, {}}));
  EXPECT_TRUE(refused({key::control(), last + 1, version_kind::absent, {}, {}, {}, {}}));
  EXPECT_TRUE(refused({key::control(), last, version_kind::changes, {}, last, {}, {}}));
  EXPECT_FALSE(out->finish());
  EXPECT_TRUE(out->add(entry));
  EXPECT_TRUE(refused(entry));
  EXPECT_TRUE(refused({key::control(), last, version_kind::absent, {}, {}, {}, {}}));
  entry.at = last - 1;
  EXPECT_TRUE(out->add(entry));
  EXPECT_EQ(delta_writer::create(files_, file_name, name, after, last, 1).error().code,
            errc::already_exists);
}

TEST_F(delta_layer_test, a_finished_file_in_a_new_folder_survives_a_power_cut) {
  const auto all = random_versions(9, 50, after, last);
  ASSERT_TRUE(write(all));
  files_.power_cut();
  const auto found = read_all(*open()->cursor(key{}, last_key, lsn::max()));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(*found == all);
}

/// Batches of a few ends each, whose times now and then go back.
TEST_F(delta_layer_test, finds_transaction_ends_by_time_and_times_by_lsn) {
  std::mt19937_64 random(3);
  std::vector<transaction_end> ends;
  sample_versions all;
  int64_t newest = no_time;
  lsn at = after + 8;
  for (int batch = 0; batch < 200; ++batch) {
    std::vector<transaction_end> some(1 + random() % 20);
    for (auto& end : some) {
      at = at + random() % 1000;
      end = {1000 * batch + static_cast<int64_t>(random() % 3000), at, at + 40};
      at = end.end;
      ends.push_back(end);
    }
    sample_version made;
    made.kind = version_kind::value;
    made.data = encode_transaction_ends(newest, some);
    const lsn first_end = some.front().end;
    all[key::transaction_ends(first_end.value())][first_end] = made;
    for (const auto& end : some) newest = std::max(newest, end.time_us);
  }
  ASSERT_LT(at, last);
  all[key::next_oid()][last].kind = version_kind::absent;
  ASSERT_TRUE(write(all));
  const auto layer = open();
  for (int i = 0; i < 2000; ++i) {
    const int64_t time_us = static_cast<int64_t>(random() % 206'000) - 2000;
    const lsn until = i % 2 ? lsn::max() : ends[random() % ends.size()].end - random() % 2;
    std::optional<transaction_end> first;
    std::optional<int64_t> latest;
    for (const auto& end : ends) {
      if (end.end > until) break;
      if (!first && end.time_us > time_us) first = end;
      latest = std::max(latest.value_or(end.time_us), end.time_us);
    }
    EXPECT_EQ(layer->first_later_than(time_us, until).value(), first);
    EXPECT_EQ(layer->newest_time(until).value(), latest);
  }
}

}  // namespace
}  // namespace zenith::layers
