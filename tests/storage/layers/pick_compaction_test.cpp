// Merges of a model: what the picked ones do to a map, and what they cost.
#include "storage/layers/pick_compaction.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ranges>

#include "tests/storage/layers/map_model.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {

using item = map_model::version;

map_model::map_model(const layer_limits& limits, uint32_t keys, uint64_t seed)
    : limits_(limits), keys_(keys), random_(seed) {}

layer_file_info map_model::add_file(contents versions, lsn after, lsn last, layer_kind kind) {
  layer_file_info file;
  file.name = {sample_timeline(timeline_), next_number_++, kind};
  file.first_key = sample_key(versions.front().first);
  file.last_key = sample_key(versions.back().first);
  file.after = after;
  file.last = last;
  file.entries = versions.size();
  file.size_bytes = versions.size() * version_bytes;
  for (size_t i = 0; i < versions.size(); ++i)
    file.keys += i == 0 || versions[i].first != versions[i - 1].first;
  files_[file.name] = std::move(versions);
  return file;
}

void map_model::begin_with_base() {
  contents all;
  for (uint32_t k = 0; k < keys_; ++k) all.emplace_back(k, end_);
  expected.insert(all.begin(), all.end());
  std::vector<layer_map::level> levels(layer_map::level_count);
  levels.back().push_back(whole(add_file(std::move(all), lsn{end_}, lsn{end_}, layer_kind::image)));
  map_ = *layer_map::make(std::move(levels), {});
}

void map_model::flush(size_t versions, key_choice choice) {
  const lsn after{end_};
  std::map<uint32_t, std::set<uint64_t, std::greater<>>> sorted;
  for (size_t i = 0; i < versions; ++i) {
    const auto any = static_cast<uint32_t>(random_() % keys_);
    const uint32_t k = choice == key_choice::anywhere ? any
                       : choice == key_choice::few    ? any % 50
                                                      : rising_++ % keys_;
    sorted[k].insert(end_ += 8);
  }
  contents all;
  for (const auto& [k, lsns] : sorted)
    for (const uint64_t at : lsns) all.emplace_back(k, at);
  expected.insert(all.begin(), all.end());
  flushed_bytes += all.size() * version_bytes;
  map_ = map_.with_flushed({add_file(std::move(all), after, lsn{end_}, layer_kind::delta)}, {},
                           lsn{end_});
}

void map_model::branch(uint64_t back_max) {
  const uint64_t at = end_ - random_() % (std::min(end_ - 1000, back_max) + 1);
  map_ = map_.capped(lsn{at});
  std::erase_if(expected, [&](const item& v) { return v.second > at; });
  end_ = at;
  ++timeline_;
  next_number_ = 1;
}

map_model::contents map_model::read(const layer_slice& slice, const key& first,
                                    const key& last) const {
  const contents& all = files_.at(slice.file.name);
  const uint32_t from = std::max(first, slice.first).d;
  const uint32_t to = std::min(last, slice.last).d;
  contents found;
  for (auto it = std::ranges::lower_bound(all, from, {}, &item::first);
       it != all.end() && it->first <= to; ++it)
    if (it->second <= slice.until.value()) found.push_back(*it);
  return found;
}

map_model::contents map_model::merged(const compaction_plan& plan, const retention& keep) const {
  contents all;
  for (const layer_slice& input : plan.inputs) {
    const contents part = read(input, plan.first, plan.last);
    all.insert(all.end(), part.begin(), part.end());
  }
  std::ranges::sort(all, [](const item& a, const item& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  });
  contents kept;
  for (const item& v : all) {
    // The next newer one of the key hides it from every state after that one.
    const bool newest = kept.empty() || kept.back().first != v.first;
    const uint64_t hidden_from = newest ? UINT64_MAX : kept.back().second;
    if (keep.horizon.value() < hidden_from || std::ranges::any_of(keep.points, [&](lsn at) {
          return at.value() >= v.second && at.value() < hidden_from;
        }))
      kept.push_back(v);
  }
  return kept;
}

bool map_model::merge(const retention& keep, collecting also) {
  const slice_splitter split = [&](const layer_slice& slice, const key& from, uint64_t bytes) {
    std::vector<key> keys;
    uint64_t size = 0;
    uint32_t before = 0;
    for (const item& v : read(slice, from, slice.last)) {
      if (size >= bytes && v.first != before) {
        keys.push_back(sample_key(v.first));
        size = 0;
      }
      before = v.first;
      size += version_bytes;
    }
    return result<std::vector<key>>(std::move(keys));
  };
  const auto plan =
      pick_compaction(map_, split, limits_, keep, sample_timeline(timeline_), also, unreadable)
          .value();
  if (!plan) return false;
  for (layer_slice input : plan->inputs) {
    input.first = std::max(input.first, plan->first);
    input.last = std::min(input.last, plan->last);
    EXPECT_FALSE(unreadable.touches(input)) << "file " << input.file.name.number;
  }
  lsn after = lsn::max();
  lsn last;
  uint64_t bytes = 0;
  bool of_level0 = false;
  for (const layer_slice& input : plan->inputs) {
    after = std::min(after, input.file.first_lsn() - 1);
    last = std::max(last, input.reaches());
    bytes += read(input, plan->first, plan->last).size() * version_bytes;
    of_level0 |= std::ranges::find(map_.levels()[0], input) != map_.levels()[0].end();
  }
  if (!of_level0) read_bytes_max = std::max(read_bytes_max, bytes);

  std::vector<layer_file_info> outputs;
  contents part;
  const auto finish = [&] {
    if (part.empty()) return;
    merged_bytes += part.size() * version_bytes;
    outputs.push_back(add_file(std::exchange(part, {}), after, last, layer_kind::delta));
    note_retention(outputs.back(), keep, plan->inputs);
  };
  const contents all = merged(*plan, keep);
  for (const item& v : all) {
    const bool full = part.size() * version_bytes >= limits_.file_bytes;
    if (plan->output_level > 0 && full && part.back().first != v.first) finish();
    part.push_back(v);
  }
  finish();
  if (keep.horizon.is_valid()) {  // what may go is gone from now on
    for (const layer_slice& input : plan->inputs)
      for (const item& v : read(input, plan->first, plan->last)) expected.erase(v);
    expected.insert(all.begin(), all.end());
  }
  auto made =
      map_.with_compacted(plan->inputs, plan->first, plan->last, outputs, plan->output_level);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  if (!made) return false;
  map_ = std::move(*made);
  return true;
}

uint64_t map_model::largest_key_bytes() const {
  std::map<uint32_t, uint64_t> bytes;
  for (const item& v : expected) bytes[v.first] += version_bytes;
  return std::ranges::max(std::views::values(bytes));
}

void map_model::check() const {
  std::vector<layer_map::level> levels(map_.levels().begin(), map_.levels().end());
  const auto again = layer_map::make(std::move(levels), {}, map_.places());
  ASSERT_TRUE(again.has_value()) << again.error().message;
  ASSERT_EQ(*again, map_);
  // Of each key, what one slice after the other says gets older and older.
  std::map<uint32_t, std::vector<uint64_t>> found;
  for (const layer_level& level : map_.levels())
    for (const layer_slice& slice : level)
      for (const item& v : read(slice, slice.first, slice.last)) found[v.first].push_back(v.second);
  size_t count = 0;
  for (const auto& [k, lsns] : found) {
    ASSERT_TRUE(std::ranges::is_sorted(lsns, std::greater{})) << "key " << k;
    for (const uint64_t at : lsns) ASSERT_TRUE(expected.contains({k, at})) << k << " at " << at;
    count += lsns.size();
  }
  ASSERT_EQ(count, expected.size());
}

namespace {

layer_limits small_limits() {
  layer_limits limits;
  limits.file_bytes = 6400;
  limits.level1_bytes = 25600;
  limits.job_bytes = 51200;
  return limits;
}

/// How many levels this much takes, each level_factor times the one above.
double levels_for(uint64_t bytes, const layer_limits& limits) {
  const double ratio = static_cast<double>(bytes) / static_cast<double>(limits.level1_bytes);
  return std::max(0.0, std::log(ratio) / std::log(limits.level_factor));
}

TEST(picked_merges, lose_nothing_and_stay_bounded) {
  const int seeds = testing::full_test_level() ? 150 : 8;
  const uint64_t seed = testing::test_seed();
  double worst = 0;
  size_t deepest = 0;
  for (int i = 0; i < seeds; ++i) {
    SCOPED_TRACE(fmt::format("ZENITH_TEST_SEED={}", seed + static_cast<uint64_t>(i)));
    std::mt19937_64 random(seed + static_cast<uint64_t>(i));
    layer_limits limits = small_limits();
    if (random() % 4 == 0) limits.job_bytes = 12800;
    map_model model(limits, random() % 2 == 0 ? 400 : 4000, random());
    const bool has_base = random() % 3 != 0;
    if (has_base) model.begin_with_base();
    const bool branches = random() % 2 == 0;
    const size_t flush_max = random() % 2 == 0 ? 10 : 300;
    for (int step = 0; step < 150; ++step) {
      model.flush(1 + random() % flush_max, static_cast<key_choice>(random() % 3));
      if (branches && random() % 10 == 0) model.branch();
      if (random() % 5 == 0) continue;
      while (model.merge())
        if (random() % 5 == 0) model.check();
      model.check();
      if (::testing::Test::HasFatalFailure()) return;
      EXPECT_LE(model.map().levels()[0].size(), 2u * limits.level0_merge_at);
    }
    deepest = std::max(deepest, model.map().depth());
    // No file ends inside a key.
    EXPECT_LE(model.read_bytes_max,
              2 * limits.job_bytes + limits.file_bytes + 2 * model.largest_key_bytes());
    const double amplification =
        static_cast<double>(model.merged_bytes) / static_cast<double>(model.flushed_bytes);
    worst = std::max(worst, amplification);
  }
  fmt::print("at most {:.1f} bytes rewritten for each one flushed, depth at most {}\n", worst,
             deepest);
}

TEST(picked_merges, cost_a_logarithm_of_what_was_flushed) {
  for (const key_choice choice : {key_choice::anywhere, key_choice::few, key_choice::rising}) {
    for (const size_t versions : {2u, 20u, 200u}) {
      const layer_limits limits = small_limits();
      map_model model(limits, 20000, 1);
      while (model.flushed_bytes < 2'000'000) {
        model.flush(versions, choice);
        while (model.merge()) {
        }
        EXPECT_LE(model.map().levels()[0].size(), 2u * limits.level0_merge_at);
      }
      model.check();
      const double levels = levels_for(model.flushed_bytes, limits);
      const double tiers = std::log(static_cast<double>(limits.level1_bytes) /
                                    static_cast<double>(versions * model.version_bytes)) /
                           std::log(limits.level_factor);
      const double amplification =
          static_cast<double>(model.merged_bytes) / static_cast<double>(model.flushed_bytes);
      EXPECT_LE(amplification, 5 * (1 + levels + std::max(0.0, tiers)));
      EXPECT_LE(static_cast<double>(model.map().depth()),
                limits.level0_merge_at + 3 + levels + std::max(0.0, tiers));
      fmt::print("{} keys, {} versions at a time: {:.1f} bytes rewritten for each, depth {}\n",
                 choice == key_choice::few      ? "few"
                 : choice == key_choice::rising ? "rising"
                                                : "any",
                 versions, amplification, model.map().depth());
    }
  }
}

TEST(a_merge_that_collects, is_picked_once_for_a_horizon_and_its_points) {
  map_model model(small_limits(), 40, testing::test_seed());
  for (int i = 0; i < 40; ++i) model.flush(100, key_choice::anywhere);
  while (model.merge()) {
  }
  const size_t all = model.expected.size();
  retention keep{model.end(), {}};
  for (uint64_t at = 2000; at < model.end().value(); at += 3000) keep.points.push_back(lsn{at});
  EXPECT_FALSE(model.merge(keep));
  int merges = 0;
  for (; model.merge(keep, collecting::yes); ++merges) ASSERT_LT(merges, 100);
  EXPECT_GT(merges, 0);
  model.check();
  const size_t with_points = model.expected.size();
  EXPECT_LT(with_points, all / 2);
  // Another point lets no version go that has not gone.
  keep.points.insert(keep.points.begin(), lsn{1500});
  EXPECT_FALSE(model.merge(keep, collecting::yes));
  keep.points.clear();
  for (merges = 0; model.merge(keep, collecting::yes); ++merges) ASSERT_LT(merges, 100);
  EXPECT_GT(merges, 0);
  model.check();
  EXPECT_LT(model.expected.size(), with_points / 2);
}

TEST(a_merge_that_collects, takes_no_file_of_another_timeline) {
  map_model model(small_limits(), 40, testing::test_seed());
  for (int i = 0; i < 3; ++i) model.flush(100, key_choice::anywhere);
  const retention keep{model.end(), {}};
  model.branch();
  EXPECT_FALSE(model.merge(keep, collecting::yes));
}

TEST(a_merge_that_collects, waits_until_enough_may_go) {
  map_model model(small_limits(), 40, testing::test_seed());
  const uint64_t begin = model.end().value();
  model.flush(400, key_choice::anywhere);
  const uint64_t length = model.end().value() - begin;
  EXPECT_FALSE(model.merge({}, collecting::yes));
  EXPECT_FALSE(model.merge({lsn{begin + length / 20}, {}}, collecting::yes));
  EXPECT_TRUE(model.merge({lsn{begin + length / 2}, {}}, collecting::yes));
  EXPECT_FALSE(model.merge({lsn{begin + length / 2 + 8}, {}}, collecting::yes));
  EXPECT_TRUE(model.merge({model.end(), {}}, collecting::yes));
  EXPECT_FALSE(model.merge({model.end(), {}}, collecting::yes));
  model.check();
}

TEST(picked_merges, leave_alone_what_a_branch_shares_until_it_has_much_of_its_own) {
  map_model model(small_limits(), 4000, testing::test_seed());
  model.begin_with_base();
  for (int i = 0; i < 40; ++i) {
    model.flush(300, key_choice::anywhere);
    while (model.merge()) {
    }
  }
  model.branch();
  model.flushed_bytes = model.merged_bytes = 0;
  for (int i = 0; i < 10; ++i) {
    model.flush(2, key_choice::anywhere);
    while (model.merge()) {
    }
  }
  model.check();
  EXPECT_LE(model.merged_bytes, 8 * model.flushed_bytes);
}

TEST(picked_merges, of_a_chain_of_branches_stay_few_and_small) {
  const layer_limits limits = small_limits();
  map_model model(limits, 4000, testing::test_seed());
  model.begin_with_base();
  size_t deepest = 0;
  for (int i = 0; i < 200; ++i) {
    model.flush(20, key_choice::anywhere);
    while (model.merge()) {
    }
    model.branch(0);
    deepest = std::max(deepest, model.map().depth());
  }
  model.check();
  EXPECT_LE(deepest, 2u * limits.level0_merge_at + 3);
  EXPECT_LE(model.merged_bytes, 20 * model.flushed_bytes);
}

}  // namespace
}  // namespace zenith::layers
