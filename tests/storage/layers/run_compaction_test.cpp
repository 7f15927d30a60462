// run_compaction: files merged by plans made by chance, stopped, on disks that fail or lie.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/layers/delta_layer.hpp"
#include "storage/layers/layer_writes.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/random_history.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::layer_of;
using zenith::testing::listed_version;
using zenith::testing::listed_versions;
using zenith::testing::memory_file_system;
using zenith::testing::random_history;

const key first_key = key::control();
const key last_key = key::transaction_ends(UINT64_MAX);

/// A timeline's files on a disk in memory.
class run_compaction_test : public ::testing::Test {
 protected:
  run_compaction_test() {
    limits_.file_bytes = 16 * 1024;
    begin_anew();
  }

  /// An empty disk.
  void begin_anew() {
    map_ = {};
    out_.files.reset();
    disk_ = std::make_unique<memory_file_system>();
    out_.files = std::make_shared<layer_files>(*disk_, "/timelines", layer_files::limits{});
    out_.timeline = timeline_id{{7}};
    out_.next_number = std::make_shared<std::atomic<uint64_t>>(1);
  }

  /// A file in level 0.
  void flush(listed_versions versions, lsn after, lsn last) {
    if (versions.empty()) return;
    sort(versions);
    const layer_name name = out_.next_name();
    auto writer = delta_writer::create(*disk_, out_.files->path_of(name), name, after, last, 1);
    ASSERT_TRUE(writer) << writer.error().message;
    for (const listed_version& v : versions) ASSERT_TRUE(writer->add(v.entry));
    const auto info = writer->finish();
    ASSERT_TRUE(info) << info.error().message;
    map_ = map_.with_flushed({*info}, {}, last);
  }

  result<written_layers> run(const compaction_plan& plan, const retention& keep,
                             const std::function<bool()>& stop = nullptr) {
    return run_compaction(plan, map_, keep, out_, limits_, stop);
  }
  void install(const compaction_plan& plan, const written_layers& written) {
    const auto after =
        map_.with_compacted(plan.inputs, plan.first, plan.last, written.files, plan.output_level);
    ASSERT_TRUE(after) << after.error().message;
    map_ = *after;
  }
  /// Everything of level 0, with what it overlaps, into level 1.
  compaction_plan all_of_level_0() const {
    compaction_plan plan{map_.levels()[0], first_key, last_key, 1};
    for (const layer_slice& one : map_.levels()[1]) plan.inputs.push_back(one);
    return plan;
  }

  /// Zeros where something else lay.
  void damage(const path& file, uint64_t offset) {
    ASSERT_TRUE(disk_->open(file, open_mode::write).value()->write(offset, bytes(64)));
  }

  view found(lsn until) const {
    return view(map_.layers(*out_.files), lsn{1}, until, nullptr, out_.checksums);
  }
  /// The layer files that there are but the map's.
  size_t leftovers() {
    std::set<std::string> named;
    for (const layer_map::level& level : map_.levels())
      for (const layer_slice& one : level) named.insert(file_name_of(one.file.name));
    size_t others = 0;
    const auto list = disk_->list(out_.files->path_of({out_.timeline, 1}).parent_path());
    for (const directory_entry& one : list.value())
      if (!named.contains(one.name)) ++others;
    return others;
  }

  std::unique_ptr<memory_file_system> disk_;
  layer_output out_;
  layer_limits limits_;
  layer_map map_;
};

/// Merges that are allowed, by chance.
class planner {
 public:
  planner(const layer_map& map, std::mt19937& random) : map_(map), random_(random) {}

  compaction_plan next() {
    for (;;) {
      const auto level = static_cast<unsigned>(random_() % (layer_map::level_count - 1));
      if (map_.levels()[level].empty()) continue;
      compaction_plan plan = level == 0 ? of_level_0() : of(level);
      if (!plan.inputs.empty()) return plan;
    }
  }

 private:
  compaction_plan of_level_0() {
    const layer_map::level& slices = map_.levels()[0];
    compaction_plan plan{{}, first_key, last_key, static_cast<unsigned>(random_() % 2)};
    size_t from = 0;
    size_t to = slices.size();
    const bool has_parts = std::ranges::any_of(slices, [](const layer_slice& one) {
      return one.first != one.file.first_key || one.last != one.file.last_key;
    });
    // What lies between two parts may be newer than what they would make together.
    if (plan.output_level == 0 && has_parts) return {};
    if (plan.output_level == 0) {
      from = random_() % slices.size();
      to = from + 1 + random_() % (slices.size() - from);
    } else if (random_() % 3 == 0) {
      plan.first = slices[random_() % slices.size()].first;
      plan.last = slices[random_() % slices.size()].last;
    }
    for (size_t i = from; i < to; ++i)
      if (slices[i].overlaps(plan.first, plan.last)) plan.inputs.push_back(slices[i]);
    if (plan.inputs.empty() || plan.first > plan.last) return {};
    if (plan.output_level == 1) add_overlapping(plan, 1);
    return plan;
  }
  compaction_plan of(unsigned level) {
    const layer_map::level& slices = map_.levels()[level];
    const layer_slice& one = slices[random_() % slices.size()];
    compaction_plan plan{{one}, one.first, one.last, level + static_cast<unsigned>(random_() % 2)};
    if (plan.output_level > level) add_overlapping(plan, plan.output_level);
    return plan;
  }
  void add_overlapping(compaction_plan& plan, unsigned level) const {
    for (const layer_slice& one : static_cast<const layer_map::level&>(map_.levels()[level]))
      if (one.overlaps(plan.first, plan.last)) plan.inputs.push_back(one);
  }

  const layer_map& map_;
  std::mt19937& random_;
};

class merged_files : public run_compaction_test {
 protected:
  void begin(uint32_t seed, size_t steps) {
    random_.seed(seed);
    history_ = std::make_unique<random_history>(seed, random_history::chances{});
    for (size_t i = 0; i < steps; ++i) history_->step();
    out_.checksums = seed % 2 == 0 ? page_checksums::off : page_checksums::on;
    limits_.records_per_page_max = 1 + random_() % 20;
    whole_ = layer_of(history_->versions());
    // Of copies the map itself knows.
    keep_ = {};
    for (const lsn at : history_->points())
      if (random_() % 25 == 0) keep_.points.push_back(at);
    size_t at = 0;
    lsn after;
    while (at < history_->versions().size()) {
      listed_versions part;
      const lsn last = history_->points()[std::min(history_->points().size() - 1,
                                                   1 + random_() % 120 + index_of(after))];
      for (; at < history_->versions().size() && history_->versions()[at].entry.at <= last; ++at)
        part.push_back(history_->versions()[at]);
      ASSERT_NO_FATAL_FAILURE(flush(std::move(part), after, last));
      after = last;
    }
  }
  size_t index_of(lsn at) const {
    const auto& points = history_->points();
    return static_cast<size_t>(std::ranges::lower_bound(points, at) - points.begin());
  }
  void keep_less() {
    keep_.horizon =
        std::max(keep_.horizon, history_->points()[random_() % history_->points().size()]);
    std::erase_if(keep_.points, [&](lsn) { return random_() % 4 == 0; });
  }
  void check_all_kept() {
    const view expected({{whole_, history_->end()}}, lsn{1}, history_->end(), nullptr,
                        out_.checksums);
    const view files = found(history_->end());
    for (const lsn at : history_->points()) {
      const bool is_point = at == keep_.horizon || std::ranges::binary_search(keep_.points, at);
      if (!keep_.keeps(at) || (!is_point && random_() % 8 != 0)) continue;
      ASSERT_EQ(history_->difference(expected, files, at), "");
    }
  }

  std::mt19937 random_;
  std::unique_ptr<random_history> history_;
  std::shared_ptr<const layer> whole_;
  retention keep_;
};

TEST_F(merged_files, every_kept_state_stays_what_it_was) {
  const int rounds = zenith::testing::full_test_level() ? 400 : 12;
  for (int round = 0; round < rounds; ++round) {
    const uint32_t seed = zenith::testing::test_seed() + static_cast<uint32_t>(round);
    SCOPED_TRACE(fmt::format("seed {}", seed));
    begin_anew();
    ASSERT_NO_FATAL_FAILURE(begin(seed, 500));
    for (int merge = 0; merge < 8; ++merge) {
      if (round % 5 != 0 && merge % 2 == 1) keep_less();
      const compaction_plan plan = planner(map_, random_).next();
      const auto written = run(plan, keep_);
      ASSERT_TRUE(written) << written.error().message;
      ASSERT_NO_FATAL_FAILURE(install(plan, *written));
      EXPECT_GT(written->bytes_read, 0u);
      ASSERT_NO_FATAL_FAILURE(check_all_kept());
    }
  }
}

TEST_F(merged_files,
       a_merge_that_is_stopped_or_whose_disk_fails_leaves_nothing_and_changes_nothing) {
  const int rounds = zenith::testing::full_test_level() ? 200 : 10;
  for (int round = 0; round < rounds; ++round) {
    const uint32_t seed = zenith::testing::test_seed() + static_cast<uint32_t>(round);
    SCOPED_TRACE(fmt::format("seed {}", seed));
    begin_anew();
    ASSERT_NO_FATAL_FAILURE(begin(seed, 500));
    keep_less();
    const compaction_plan plan = all_of_level_0();
    const uint64_t before = disk_->operations();
    ASSERT_NO_FATAL_FAILURE(install(plan, run(plan, keep_).value()));
    const uint64_t operations = disk_->operations() - before;

    begin_anew();
    ASSERT_NO_FATAL_FAILURE(begin(seed, 500));
    const compaction_plan again = all_of_level_0();
    disk_->fail_at(disk_->operations() + random_() % operations,
                   memory_file_system::fault::io_error);
    const auto failed = run(again, keep_);
    if (!failed) EXPECT_EQ(failed.error().code, errc::io) << failed.error().message;
    if (!failed) EXPECT_EQ(leftovers(), 0u);
    unsigned left = random_() % 2;
    const auto stopped = run(again, keep_, [&] { return left-- == 0; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, errc::unavailable) << stopped.error().message;
    if (!failed) EXPECT_EQ(leftovers(), 0u);
    ASSERT_NO_FATAL_FAILURE(check_all_kept());
  }
}

TEST_F(merged_files, damage_of_an_input_is_told_by_file_and_keys_and_all_else_can_be_merged) {
  limits_.file_bytes = 50'000;
  ASSERT_NO_FATAL_FAILURE(begin(zenith::testing::test_seed(), 4000));
  const compaction_plan first = all_of_level_0();
  ASSERT_NO_FATAL_FAILURE(install(first, run(first, keep_).value()));
  const layer_map::level slices = map_.levels()[1];
  ASSERT_GE(slices.size(), 3u);
  const path damaged = out_.files->path_of(slices[1].file.name);
  damage(damaged, slices[1].file.size_bytes / 2);
  key_range bad;
  for (size_t i = 0; i < 3; ++i) {
    const compaction_plan plan{{slices[i]}, slices[i].first, slices[i].last, 2};
    const size_t files_before = leftovers();
    const auto written = run(plan, keep_);
    ASSERT_TRUE(written) << written.error().message;
    if (i != 1) {
      EXPECT_TRUE(written->unreadable.empty());
      ASSERT_NO_FATAL_FAILURE(install(plan, *written));
      continue;
    }
    EXPECT_TRUE(written->files.empty());
    ASSERT_EQ(written->unreadable.size(), 1u);
    const unreadable_part& part = written->unreadable.front();
    EXPECT_EQ(part.file, slices[1].file.name);
    EXPECT_EQ(part.why.code, errc::corrupt);
    EXPECT_NE(part.why.message.find(damaged.string()), std::string::npos) << part.why.message;
    EXPECT_EQ(leftovers(), files_before);
    bad = part.keys;
  }
  // Before the damage, and behind it.
  ASSERT_GT(bad.first, slices[1].first);
  ASSERT_LT(bad.last, slices[1].last);
  for (const key_range& good : {key_range{slices[1].first, key_before(bad.first)},
                                key_range{key_after(bad.last), slices[1].last}}) {
    compaction_plan plan{{}, good.first, good.last, 2};
    for (const layer_slice& one : map_.levels()[1])
      if (one.overlaps(good.first, good.last)) plan.inputs.push_back(one);
    const auto written = run(plan, keep_);
    ASSERT_TRUE(written && written->unreadable.empty());
    ASSERT_NO_FATAL_FAILURE(install(plan, *written));
  }
  ASSERT_EQ(map_.levels()[1].size(), slices.size() - 2) << "the damage, and what was not merged";
}

TEST_F(merged_files, a_missing_input_is_told_with_all_its_keys) {
  ASSERT_NO_FATAL_FAILURE(begin(zenith::testing::test_seed(), 500));
  const compaction_plan plan = all_of_level_0();
  const layer_slice missing = plan.inputs[1];
  ASSERT_TRUE(disk_->remove(out_.files->path_of(missing.file.name)));
  const auto written = run(plan, keep_);
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_EQ(written->unreadable.size(), 1u);
  EXPECT_EQ(written->unreadable[0].file, missing.file.name);
  EXPECT_EQ(written->unreadable[0].keys, (key_range{missing.first, missing.last}));
  EXPECT_EQ(written->unreadable[0].why.code, errc::not_found);
}

TEST_F(run_compaction_test, inputs_that_contradict_each_other_are_all_told) {
  const listed_version same({.k = key::next_oid(), .at = lsn{50}, .kind = version_kind::value},
                            bytes(4));
  ASSERT_NO_FATAL_FAILURE(flush({same}, lsn{1}, lsn{60}));
  ASSERT_NO_FATAL_FAILURE(flush({same}, lsn{40}, lsn{70}));
  const auto written = run(all_of_level_0(), {});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->unreadable.size(), 2u);
  EXPECT_NE(written->unreadable.front().why.message.find("both"), std::string::npos);
}

TEST_F(merged_files, a_merge_goes_on_where_what_it_does_not_rewrite_is_damaged) {
  limits_.records_per_page_max = 1;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    begin_anew();
    ASSERT_NO_FATAL_FAILURE(begin(zenith::testing::test_seed() + seed, 800));
    ASSERT_GE(map_.levels()[0].size(), 3u);
    keep_less();
    // All but the oldest, whose pages it would need.
    compaction_plan plan{map_.levels()[0], first_key, last_key, 0};
    const layer_slice oldest = plan.inputs.back();
    plan.inputs.pop_back();
    ASSERT_TRUE(disk_->remove(out_.files->path_of(oldest.file.name)));
    const auto written = run(plan, keep_);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_TRUE(written->unreadable.empty());
    ASSERT_NO_FATAL_FAILURE(install(plan, *written));
  }
}

TEST_F(merged_files, files_are_split_between_keys_about_where_they_are_full) {
  ASSERT_NO_FATAL_FAILURE(begin(zenith::testing::test_seed(), 3000));
  limits_.file_bytes = 100'000;
  const compaction_plan plan = all_of_level_0();
  const auto written = run(plan, keep_).value();
  ASSERT_GE(written.files.size(), 2u);
  uint64_t bytes = 0;
  for (size_t i = 0; i < written.files.size(); ++i) {
    bytes += written.files[i].size_bytes;
    if (i > 0) EXPECT_LT(written.files[i - 1].last_key, written.files[i].first_key);
    if (i + 1 < written.files.size())
      EXPECT_NEAR(static_cast<double>(written.files[i].size_bytes), 100e3, 20e3);
  }
  EXPECT_EQ(written.bytes_written, bytes);
  uint64_t read = 0;
  for (const layer_slice& one : plan.inputs) read += one.file.size_bytes;
  EXPECT_NEAR(static_cast<double>(written.bytes_read), static_cast<double>(read), 16);
}

TEST_F(run_compaction_test, a_branch_gets_no_end_of_a_transaction_after_it) {
  const std::vector<transaction_end> ends{{10, lsn{100}, lsn{110}}, {20, lsn{120}, lsn{130}}};
  const listed_version batch(
      {.k = key::transaction_ends(110), .at = lsn{110}, .kind = version_kind::value},
      encode_transaction_ends(5, ends));
  ASSERT_NO_FATAL_FAILURE(flush({batch}, lsn{50}, lsn{130}));
  map_ = map_.capped(lsn{125});
  const compaction_plan plan = all_of_level_0();
  ASSERT_NO_FATAL_FAILURE(install(plan, run(plan, {}).value()));
  const layer_slice& merged = map_.levels()[1].slices().front();
  const auto layer = out_.files->find(merged.file);
  EXPECT_EQ(layer->newest_time(lsn::max()).value(), 10);
  EXPECT_FALSE(layer->first_later_than(10, lsn::max()).value());
}

TEST_F(run_compaction_test, of_transaction_ends_each_kept_state_keeps_the_newest) {
  for (uint64_t at = 100; at <= 900; at += 100) {
    const std::vector<transaction_end> ends{
        {static_cast<int64_t>(at), lsn{at - 10}, lsn{at}},
        {static_cast<int64_t>(at + 50), lsn{at + 40}, lsn{at + 50}}};
    const int64_t before = at == 100 ? no_time : static_cast<int64_t>(at - 50);
    ASSERT_NO_FATAL_FAILURE(
        flush({listed_version(
                  {.k = key::transaction_ends(at), .at = lsn{at}, .kind = version_kind::value},
                  encode_transaction_ends(before, ends))},
              lsn{at - 20}, lsn{at + 50}));
  }
  const compaction_plan plan = all_of_level_0();
  const auto written = run(plan, {lsn{720}, {lsn{130}, lsn{420}}}).value();
  ASSERT_NO_FATAL_FAILURE(install(plan, written));
  EXPECT_EQ(written.files.front().entries, 5u) << "those of 100, 400, 700, 800 and 900";
  const auto layer = out_.files->find(written.files.front());
  for (const auto& [at, time] : {std::pair{130, 100}, {420, 400}, {720, 700}, {760, 750}})
    EXPECT_EQ(layer->newest_time(lsn{static_cast<uint64_t>(at)}).value(), time) << at;
}

TEST_F(run_compaction_test, what_is_unknown_loses_nothing_from_there_on) {
  const auto value = [](uint64_t at) {
    return listed_version({.k = key::next_oid(), .at = lsn{at}, .kind = version_kind::value},
                          bytes(4));
  };
  ASSERT_NO_FATAL_FAILURE(
      flush({value(10), value(20), value(30), value(40), value(50)}, lsn{1}, lsn{50}));
  map_ = layer_map::make(
             {map_.levels()[0]},
             {{key_pattern::all(key_kind::next_oid), lsn{30}, {errc::corrupt, "a record"}}})
             .value();
  const compaction_plan plan = all_of_level_0();
  const auto written = run(plan, {lsn{50}, {lsn{15}}}).value();
  EXPECT_EQ(written.files.front().entries, 4u) << "10, 30, 40 and 50";
}

TEST_F(run_compaction_test, a_merge_of_which_nothing_is_left_writes_no_file) {
  ASSERT_NO_FATAL_FAILURE(
      flush({listed_version({.k = key::next_oid(), .at = lsn{10}, .kind = version_kind::absent})},
            lsn{1}, lsn{10}));
  const compaction_plan plan = all_of_level_0();
  const auto written = run(plan, {lsn{50}, {}}).value();
  EXPECT_TRUE(written.files.empty());
  ASSERT_NO_FATAL_FAILURE(install(plan, written));
  EXPECT_EQ(map_.slices(), 0u);
}

}  // namespace
}  // namespace zenith::layers
