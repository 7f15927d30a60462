// Maps read through their layers: which files answer, and for what.
#include "storage/layers/sorted_run.hpp"

#include <gtest/gtest.h>

#include "storage/base/assert.hpp"
#include "storage/io/file_system.hpp"
#include "storage/layers/delta_layer.hpp"
#include "storage/layers/layer_files.hpp"
#include "storage/layers/layer_map.hpp"
#include "storage/layers/transaction_end.hpp"
#include "tests/storage/layers/map_samples.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::layers {
namespace {

/// Files in memory; those that were never written are not found when they are read.
class sorted_run_test : public ::testing::Test {
 protected:
  struct value {
    key k;
    uint64_t at;
    bytes data;
  };

  layer_slice write(uint64_t number, uint64_t after, uint64_t last, std::vector<value> values) {
    const layer_name name{sample_timeline(1), number, layer_kind::delta};
    auto out = delta_writer::create(disk, files.path_of(name), name, lsn{after}, lsn{last}, 1);
    ZENITH_ASSERT(out.has_value());
    std::ranges::sort(values, [](const value& a, const value& b) {
      return a.k != b.k ? a.k < b.k : a.at > b.at;
    });
    for (const value& v : values) {
      version_entry entry;
      entry.k = v.k;
      entry.at = lsn{v.at};
      entry.kind = version_kind::value;
      entry.data = v.data;
      ZENITH_ASSERT(out->add(entry).has_value());
    }
    return whole(*out->finish());
  }
  /// A value of a block that says where it is from.
  static value block(uint32_t number, uint64_t at) {
    return {sample_key(number), at, bytes(8, static_cast<std::byte>(at))};
  }
  /// The LSN of the version of a block that the layers give at an LSN; 0 for none.
  static uint64_t newest(const std::vector<layer_reference>& layers, uint32_t number, uint64_t at,
                         uint64_t after = 0) {
    key_history history;
    for (const layer_reference& one : layers) {
      const auto done =
          one.data->collect(sample_key(number), lsn{after}, std::min(lsn{at}, one.until), history);
      EXPECT_TRUE(done.has_value()) << done.error().message;
      if (history.state != key_history::state_kind::open) break;
    }
    return history.newest.value();
  }
  static std::vector<key> listed(const layer_reference& one, const key& first, const key& last,
                                 uint64_t until) {
    std::vector<key> found;
    const auto each = [&](const key& k) { found.push_back(k); };
    EXPECT_TRUE(one.data->list(first, last, lsn{until}, each).has_value());
    return found;
  }

  testing::memory_file_system disk;
  layer_files files{disk, "/timelines", {}};
};

TEST_F(sorted_run_test, a_read_asks_the_one_file_that_may_hold_the_key) {
  std::vector<layer_map::level> levels(2);
  levels[1] = {sample_slice(1, 0, 9, 100, 200),  // not there
               write(2, 100, 200, {block(10, 150), block(12, 160), block(12, 170), block(19, 200)}),
               sample_slice(3, 30, 39, 100, 200)};
  const auto layers = layer_map::make(levels, {})->layers(files);
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(newest(layers, 10, 200), 150u);
  EXPECT_EQ(newest(layers, 12, 200), 170u);
  EXPECT_EQ(newest(layers, 12, 169), 160u);
  EXPECT_EQ(newest(layers, 12, 159), 0u);
  EXPECT_EQ(newest(layers, 11, 200), 0u);
  EXPECT_EQ(newest(layers, 25, 200), 0u);
  EXPECT_EQ(newest(layers, 40, 200), 0u);
  key_history history;
  EXPECT_EQ(layers[0].data->collect(sample_key(5), {}, lsn{200}, history).error().code,
            errc::not_found);
  // Nothing of it lies before 101 or after 200.
  EXPECT_EQ(newest(layers, 5, 100), 0u);
  EXPECT_EQ(newest(layers, 5, 300, 200), 0u);
}

TEST_F(sorted_run_test, a_slice_counts_for_its_keys_and_up_to_its_cap) {
  const layer_slice file =
      write(1, 100, 200, {block(10, 150), block(20, 160), block(20, 170), block(30, 180)});
  std::vector<layer_map::level> levels(3);
  levels[0] = {file};
  levels[0][0].first = levels[0][0].last = sample_key(20);
  levels[0][0].until = lsn{165};
  levels[2] = {write(2, 90, 100, {block(10, 95), block(20, 95), block(30, 95)})};
  const auto layers = layer_map::make(levels, {})->layers(files);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].until, lsn{165});
  EXPECT_EQ(newest(layers, 10, 200), 95u);
  EXPECT_EQ(newest(layers, 20, 200), 160u);
  EXPECT_EQ(newest(layers, 30, 200), 95u);
  EXPECT_EQ(newest(layer_map::make(levels, {})->capped(lsn{155}).layers(files), 20, 200), 95u);
}

TEST_F(sorted_run_test, keys_are_listed_in_order_and_within_the_slices) {
  const auto size = [](uint32_t relation, uint64_t at) {
    return value{key::size({1, 2, relation}, fork_number::main), at, bytes(8)};
  };
  std::vector<layer_map::level> levels(2);
  levels[1] = {write(1, 100, 200, {size(1, 150), size(2, 190), size(3, 150)}),
               write(2, 100, 200, {size(3, 160), size(5, 150), size(7, 150)})};
  levels[1][0].last = size(2, 0).k;
  const auto layers = layer_map::make(levels, {})->layers(files);
  const std::vector<key> all{size(1, 0).k, size(2, 0).k, size(3, 0).k, size(5, 0).k, size(7, 0).k};
  EXPECT_EQ(listed(layers[0], key::control(), key{key_kind::transaction_ends}, 200), all);
  EXPECT_EQ(listed(layers[0], all[1], all[3], 200), (std::vector<key>{all[1], all[2], all[3]}));
  EXPECT_EQ(listed(layers[0], all[0], all[4], 155), (std::vector<key>{all[0], all[3], all[4]}));
  EXPECT_TRUE(listed(layers[0], all[0], all[4], 100).empty());
}

TEST_F(sorted_run_test, transaction_ends_are_found_over_all_slices) {
  const auto ends = [](const std::vector<transaction_end>& all) {
    const uint64_t first = all.front().end.value();
    return value{key::transaction_ends(first), first, encode_transaction_ends(no_time, all)};
  };
  std::vector<layer_map::level> levels(2);
  levels[1] = {sample_slice(1, 0, 9, 100, 400),  // not there, and without any
               write(2, 100, 200,
                     {block(10, 150), ends({{50, lsn{110}, lsn{120}}, {40, lsn{130}, lsn{140}}})}),
               write(3, 200, 300, {ends({{60, lsn{210}, lsn{220}}, {30, lsn{230}, lsn{240}}})})};
  const auto layers = layer_map::make(levels, {})->layers(files);
  const layer& run = *layers[0].data;
  EXPECT_EQ(run.first_later_than(10, lsn{300}).value()->end, lsn{120});
  EXPECT_EQ(run.first_later_than(50, lsn{300}).value()->end, lsn{220});
  EXPECT_FALSE(run.first_later_than(60, lsn{300}).value().has_value());
  EXPECT_FALSE(run.first_later_than(10, lsn{100}).value().has_value());
  EXPECT_EQ(run.newest_time(lsn{300}).value(), 60);
  EXPECT_EQ(run.newest_time(lsn{200}).value(), 50);
  EXPECT_FALSE(run.newest_time(lsn{100}).value().has_value());
}

TEST_F(sorted_run_test, what_is_unknown_is_said_by_a_layer_of_its_own) {
  const unknown_state a{key_pattern::all(key_kind::next_oid), lsn{300}, {errc::corrupt, "a"}};
  const unknown_state b{key_pattern::sizes_of({1, 2, 3}), lsn{400}, {errc::corrupt, "b"}};
  const auto layers =
      layer_map::make({{}, {sample_slice(1, 0, 9, 100, 200)}}, {b, a})->layers(files);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].until, lsn{400});
  const unknown_state* one = layers[0].data->unknown();
  EXPECT_EQ(one->at, lsn{400});
  EXPECT_EQ(one->next->at, lsn{300});
  EXPECT_EQ(one->next->next, nullptr);
  EXPECT_EQ(newest({layers[0]}, 3, 1000), 0u);
}

TEST_F(sorted_run_test, files_are_in_use_from_when_layers_were_asked_for_to_the_maps_end) {
  const auto in_use = [&] {
    files.begin_sweep();
    return files.end_sweep().size();
  };
  std::optional<layer_map> map = *layer_map::make(
      {{}, {sample_slice(1, 0, 9, 100, 200), sample_slice(2, 10, 19, 100, 200)}}, {});
  EXPECT_EQ(in_use(), 0u);
  map->layers(files);
  EXPECT_EQ(in_use(), 2u);
  // A child's map that differs in nothing shares the layers.
  std::optional<layer_map> child = map->capped(lsn{250});
  EXPECT_EQ(child->layers(files)[0].data, map->layers(files)[0].data);
  map.reset();
  EXPECT_EQ(in_use(), 2u);
  child.reset();
  EXPECT_EQ(in_use(), 0u);
}

TEST_F(sorted_run_test, a_map_may_outlive_the_files_that_its_layers_are_from) {
  const layer_map map = *layer_map::make({{}, {write(1, 100, 200, {block(1, 150)})}}, {});
  layer_files others(disk, "/timelines", {});
  EXPECT_EQ(newest(map.layers(others), 1, 200), 150u);
}

}  // namespace
}  // namespace zenith::layers
