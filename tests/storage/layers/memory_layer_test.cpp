// memory_layer: what readers find, while nothing or while one thread writes.
#include "storage/layers/memory_layer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace zenith::layers {
namespace {

using state_kind = key_history::state_kind;
using redo::record_effect;

const relation_id table{1663, 5, 16384};

key block_key(block_number block) { return key::block(table, fork_number::main, block); }

key_history history_of(const layer& from, const key& k, lsn after, lsn until) {
  key_history history;
  EXPECT_TRUE(from.collect(k, after, until, history));
  return history;
}

void put_record(memory_layer& layer, const key& k, lsn start, lsn end, std::string_view data,
                record_effect effect = record_effect::changes) {
  layer.put_record(k, end, layer.add_record(start, as_bytes(data)), effect);
}

std::vector<std::string> texts(const key_history& history) {
  std::vector<std::string> all;
  for (const auto& record : history.records) all.emplace_back(as_text(record.bytes));
  return all;
}

std::vector<key> listed(const layer& from, const key& first, const key& last, lsn until) {
  std::vector<key> all;
  EXPECT_TRUE(from.list(first, last, until, [&](const key& k) { all.push_back(k); }));
  return all;
}

TEST(memory_layer, gives_records_newest_first_up_to_the_lsn_asked_for) {
  memory_layer layer(lsn{100});
  put_record(layer, block_key(7), lsn{100}, lsn{200}, "one");
  put_record(layer, block_key(7), lsn{200}, lsn{300}, "two");
  put_record(layer, block_key(7), lsn{300}, lsn{400}, "three");
  EXPECT_EQ(texts(history_of(layer, block_key(7), lsn{}, lsn{400})),
            (std::vector<std::string>{"three", "two", "one"}));
  const auto history = history_of(layer, block_key(7), lsn{}, lsn{399});
  EXPECT_EQ(texts(history), (std::vector<std::string>{"two", "one"}));
  EXPECT_EQ(history.records[0].start, lsn{200});
  EXPECT_EQ(history.records[0].end, lsn{300});
  EXPECT_EQ(history.state, state_kind::open);
  EXPECT_EQ(texts(history_of(layer, block_key(7), lsn{200}, lsn{300})),
            (std::vector<std::string>{"two"}));
  EXPECT_FALSE(history_of(layer, block_key(7), lsn{}, lsn{199}).found());
  EXPECT_FALSE(history_of(layer, block_key(8), lsn{}, lsn{400}).found());
}

TEST(memory_layer, a_version_that_needs_nothing_older_ends_the_search) {
  memory_layer layer(lsn{100});
  const key k = block_key(1);
  put_record(layer, k, lsn{100}, lsn{200}, "lost");
  put_record(layer, k, lsn{200}, lsn{300}, "whole", record_effect::initialises);
  put_record(layer, k, lsn{300}, lsn{400}, "more");
  const auto history = history_of(layer, k, lsn{}, lsn{400});
  EXPECT_EQ(texts(history), (std::vector<std::string>{"more", "whole"}));
  EXPECT_EQ(history.state, state_kind::zero);
}

TEST(memory_layer, values_absences_and_copies_come_back_as_put) {
  memory_layer layer(lsn{100});
  const key k = key::relation_map(1663, 5);
  layer.put_value(k, lsn{200}, as_bytes("map"));
  layer.put_absent(k, lsn{300});
  layer.put_copy(k, lsn{400}, key::relation_map(1663, 4), lsn{320});
  auto history = history_of(layer, k, lsn{}, lsn{200});
  EXPECT_EQ(history.state, state_kind::value);
  EXPECT_EQ(as_text(history.value), "map");
  EXPECT_EQ(history_of(layer, k, lsn{}, lsn{300}).state, state_kind::absent);
  history = history_of(layer, k, lsn{}, lsn{500});
  EXPECT_EQ(history.state, state_kind::copy);
  EXPECT_EQ(history.source, key::relation_map(1663, 4));
  EXPECT_EQ(history.source_lsn, lsn{320});
}

TEST(memory_layer, a_record_put_twice_under_one_key_counts_once) {
  memory_layer layer(lsn{100});
  const auto* const stored = layer.add_record(lsn{100}, as_bytes("r"));
  layer.put_record(block_key(1), lsn{200}, stored, record_effect::changes);
  layer.put_record(block_key(1), lsn{200}, stored, record_effect::initialises);
  layer.put_record(block_key(1), lsn{200}, stored, record_effect::changes);
  const auto history = history_of(layer, block_key(1), lsn{}, lsn{200});
  EXPECT_EQ(history.records.size(), 1u);
  EXPECT_EQ(history.state, state_kind::zero);
}

TEST(memory_layer, the_last_value_that_one_record_puts_counts) {
  memory_layer layer(lsn{100});
  layer.put_value(key::next_oid(), lsn{200}, as_bytes("first"));
  layer.put_absent(key::next_oid(), lsn{200});
  layer.put_value(key::next_oid(), lsn{200}, as_bytes("last"));
  EXPECT_EQ(as_text(history_of(layer, key::next_oid(), lsn{}, lsn{200}).value), "last");
}

TEST(memory_layer, lists_keys_in_order_without_blocks_and_without_later_ones) {
  memory_layer layer(lsn{100});
  layer.put_value(key::two_phase(9), lsn{200}, as_bytes("x"));
  layer.put_value(key::two_phase(3), lsn{200}, as_bytes("x"));
  put_record(layer, block_key(1), lsn{200}, lsn{210}, "r");
  layer.put_value(key::two_phase(5), lsn{300}, as_bytes("x"));
  layer.put_value(key::size(table, fork_number::main), lsn{300}, as_bytes("x"));
  const key last{key_kind::configuration_file, UINT32_MAX};
  EXPECT_EQ(listed(layer, key::control(), last, lsn{299}),
            (std::vector<key>{key::two_phase(3), key::two_phase(9)}));
  EXPECT_EQ(listed(layer, key::two_phase(4), key::two_phase(9), lsn{300}),
            (std::vector<key>{key::two_phase(5), key::two_phase(9)}));
}

TEST(memory_layer, many_keys_with_many_versions_are_all_found) {
  memory_layer layer(lsn{0});
  constexpr block_number keys = 20'000;
  uint64_t at = 0;
  for (int round = 1; round <= 3; ++round)
    for (block_number block = 0; block < keys; ++block) {
      layer.put_value(block_key(block), lsn{at + 8}, as_bytes(std::to_string(round * block)));
      at += 8;
    }
  EXPECT_EQ(layer.versions(), 3 * keys);
  for (block_number block = 0; block < keys; ++block) {
    const auto history = history_of(layer, block_key(block), lsn{}, lsn{keys * 16 + block * 8});
    ASSERT_EQ(as_text(history.value), std::to_string(2 * block));
  }
}

TEST(memory_layer, a_record_costs_its_bytes_and_little_more_for_each_key) {
  memory_layer layer(lsn{0});
  const size_t before = layer.size_bytes();
  const bytes record(100);
  constexpr size_t records = 200'000;
  for (size_t i = 0; i < records; ++i) {
    const auto* const stored = layer.add_record(lsn{i * 104}, record);
    layer.put_record(block_key(i % 500), lsn{i * 104 + 104}, stored, record_effect::changes);
    layer.put_record(block_key(i % 501), lsn{i * 104 + 104}, stored, record_effect::changes);
  }
  const size_t taken = layer.size_bytes() - before;
  EXPECT_GT(taken, records * (100 + 2 * 16));
  EXPECT_LT(taken, records * (100 + 24 + 2 * 32));
}

TEST(memory_layer, a_record_larger_than_a_chunk_is_kept_whole) {
  memory_layer layer(lsn{0});
  const std::string large(3 * arena::chunk_size_bytes + 5, 'z');
  put_record(layer, block_key(1), lsn{0}, lsn{8}, "small");
  put_record(layer, block_key(1), lsn{8}, lsn{16}, large);
  put_record(layer, block_key(1), lsn{16}, lsn{24}, "small again");
  EXPECT_EQ(texts(history_of(layer, block_key(1), lsn{}, lsn{24})),
            (std::vector<std::string>{"small again", large, "small"}));
}

TEST(memory_layer, one_that_holds_nothing_takes_a_few_hundred_bytes) {
  memory_layer layer(lsn{100});
  EXPECT_LE(sizeof(layer), 512u);
  EXPECT_EQ(layer.size_bytes(), sizeof(layer));
  put_record(layer, block_key(1), lsn{100}, lsn{200}, "r");
  layer.publish(lsn{200});
  EXPECT_LE(layer.size_bytes(), 4096u);
}

TEST(memory_layer, its_memory_grows_with_what_it_holds) {
  memory_layer layer(lsn{0});
  size_t held = 0;
  for (uint64_t i = 0; held < 8 * arena::chunk_size_bytes; ++i) {
    put_record(layer, block_key(static_cast<block_number>(i / 4)), lsn{i * 8}, lsn{i * 8 + 8},
               std::string(100, 'r'));
    held += 100 + 16 + 16;
    ASSERT_LE(layer.size_bytes(), 4 * held + 4096);
  }
}

struct told {
  key k;
  lsn at;
  version_kind kind;
  std::string data;
  lsn other;  // a record's start, the LSN of a copy's source

  bool operator==(const told&) const = default;
};

std::vector<told> told_by(const memory_layer& layer) {
  std::vector<told> all;
  const auto cursor = layer.cursor();
  for (version_entry one;;) {
    const auto more = cursor->next(one);
    EXPECT_TRUE(more);
    if (!more || !*more) return all;
    const lsn other = one.is_record() ? one.record_start : one.source_at;
    if (one.kind == version_kind::copy) EXPECT_EQ(one.source, block_key(77));
    all.push_back({one.k, one.at, one.kind, std::string(as_text(one.data)), other});
  }
}

TEST(memory_layer, its_cursor_goes_by_key_and_from_the_newest_version) {
  memory_layer layer(lsn{100});
  put_record(layer, block_key(7), lsn{100}, lsn{200}, "one", record_effect::initialises);
  layer.put_value(key::two_phase(9), lsn{200}, as_bytes("x"));
  put_record(layer, block_key(7), lsn{200}, lsn{300}, "two");
  layer.put_absent(key::two_phase(9), lsn{300});
  layer.put_copy(block_key(2), lsn{300}, block_key(77), lsn{250});
  layer.put_transaction_end(5000, lsn{200}, lsn{300});
  layer.publish(lsn{300});
  put_record(layer, block_key(7), lsn{300}, lsn{400}, "not published");
  layer.put_value(key::next_oid(), lsn{400}, as_bytes("neither"));
  layer.put_transaction_end(6000, lsn{300}, lsn{400});
  auto all = told_by(layer);
  ASSERT_EQ(all.size(), 6u);
  const auto batch = decode_transaction_ends(as_bytes(all.back().data));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->ends, (std::vector<transaction_end>{{5000, lsn{200}, lsn{300}}}));
  all.back().data.clear();
  EXPECT_EQ(all, (std::vector<told>{
                     {key::two_phase(9), lsn{300}, version_kind::absent, "", {}},
                     {key::two_phase(9), lsn{200}, version_kind::value, "x", {}},
                     {block_key(2), lsn{300}, version_kind::copy, "", lsn{250}},
                     {block_key(7), lsn{300}, version_kind::changes, "two", lsn{200}},
                     {block_key(7), lsn{200}, version_kind::initialises, "one", lsn{100}},
                     {key::transaction_ends(300), lsn{300}, version_kind::value, "", {}},
                 }));
}

TEST(memory_layer, its_cursor_gives_what_a_sorted_list_of_all_puts_has) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  memory_layer layer(lsn{0});
  std::vector<told> expected;
  uint64_t at = 0;
  for (int i = 0; i < 4'000; ++i) {
    const relation_id relation{1663, 5, 16384 + static_cast<uint32_t>(random() & 3)};
    key k = key::block(relation, all_forks[random() & 3],
                       static_cast<block_number>((random() & 255) << (random() & 24)));
    if (random() % 8 == 0) k = key::size(relation, fork_number::main);
    if (random() % 8 == 0) k = key::slru(slru_kind::xact, random() & 7);
    // Of one record the last value for a key counts.
    at += 8 * (random() & 1);
    const std::string value = std::to_string(i);
    layer.put_value(k, lsn{at + 8}, as_bytes(value));
    std::erase_if(expected, [&](const told& one) { return one.k == k && one.at == lsn{at + 8}; });
    expected.push_back({k, lsn{at + 8}, version_kind::value, value, {}});
  }
  layer.publish(lsn{at + 8});
  std::sort(expected.begin(), expected.end(),
            [](const told& a, const told& b) { return a.k != b.k ? a.k < b.k : b.at < a.at; });
  EXPECT_EQ(told_by(layer), expected);
}

// Run under ThreadSanitizer to judge the memory order as well.
TEST(memory_layer, readers_find_everything_published_while_one_thread_writes) {
  constexpr uint64_t records = 60'000;
  constexpr uint64_t keys = 97;
  memory_layer layer(lsn{0});
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> reads{0};
  const auto reader = [&](unsigned seed) {
    std::mt19937 random(seed);
    key_history history;
    for (lsn until; until < lsn{records * 8};) {
      until = layer.published();
      const uint64_t n = random() % keys;
      history.clear();
      if (!layer.collect(block_key(static_cast<block_number>(n)), lsn{}, until, history)) ++wrong;
      // Record i ends at 8 * (i + 1), belongs to key i % keys and says its own number.
      const uint64_t published = until.value() / 8;
      const uint64_t expected = published > n ? (published - n - 1) / keys + 1 : 0;
      if (history.records.size() != expected) ++wrong;
      for (const auto& record : history.records)
        if (as_text(record.bytes) != std::to_string(record.start.value() / 8)) ++wrong;
      size_t listed_keys = 0;
      if (n == 0 && !layer.list(key::two_phase(0), key::two_phase(UINT32_MAX), until,
                                [&](const key&) { ++listed_keys; }))
        ++wrong;
      if (n == 0 && listed_keys != published / 1000) ++wrong;
      ++reads;
    }
  };
  std::thread first(reader, 1);
  std::thread second(reader, 2);
  for (uint64_t i = 0; i < records; ++i) {
    put_record(layer, block_key(static_cast<block_number>(i % keys)), lsn{i * 8}, lsn{i * 8 + 8},
               std::to_string(i));
    if (i % 1000 == 999)
      layer.put_value(key::two_phase(static_cast<uint32_t>(i)), lsn{i * 8 + 8}, as_bytes("x"));
    layer.publish(lsn{i * 8 + 8});
  }
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(reads, 1u);
}

}  // namespace
}  // namespace zenith::layers
