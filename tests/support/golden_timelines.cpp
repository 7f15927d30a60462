// golden_timelines: making their files, and comparing what is read with what memory has.
#include "tests/support/golden_timelines.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {
namespace {

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

}  // namespace

golden_history_judge::golden_history_judge(const std::string& scenario)
    : scenario_(load_golden(scenario)), replay_(scenario_), reference_(replay_.view()) {
  for_each_golden_record(scenario_, [&](const wal::raw_record& raw, const pg::record& record) {
    ends_.push_back(raw.end);
    starts_.push_back(raw.start);
    for (const pg::block_reference& block : record.blocks()) {
      touched_.push_back({block.page_key(), raw.end});
      touched_.push_back({key::size(block.relation, block.fork), raw.end});
    }
  });
  const key last{key_kind::relation_size, UINT32_MAX, UINT32_MAX, UINT32_MAX, 3};
  for (const golden_stop& stop : scenario_.stops)
    for (const key& k : must(reference_.keys(key::control(), last, stop.at)))
      touched_.push_back({k, stop.at});
}

lsn golden_history_judge::end_at_or_before(lsn at) const {
  const auto after = std::ranges::upper_bound(ends_, at);
  return after == ends_.begin() ? scenario_.start : *std::prev(after);
}

lsn golden_history_judge::random_end(std::mt19937_64& random, lsn from, lsn until) const {
  return std::max(from, end_at_or_before(from + random() % (until - from + 1)));
}

lsn golden_history_judge::previous_of(lsn end) const {
  const auto found = std::ranges::lower_bound(ends_, end);
  if (found != ends_.end() && *found == end)
    return starts_[static_cast<size_t>(found - ends_.begin())];
  if (end != scenario_.start) throw std::runtime_error("no record ends at " + to_string(end));
  return lsn{load<pg::wal_record_header>(scenario_.wal_from(end).data()).previous};
}

void golden_history_judge::expect_same(const layers::view& seen, const key& k, lsn at) const {
  const std::string where = to_string(k) + " at " + to_string(at);
  if (k.kind != key_kind::relation_block) {
    const auto expected = must(reference_.value(k, at));
    const auto found = seen.value(k, at);
    ASSERT_TRUE(found) << where << ": " << found.error().message;
    ASSERT_TRUE(*found == expected) << where;
    return;
  }
  page expected;
  page found;
  const auto wanted = reference_.read_page(k.relation(), k.relation_fork(), k.d, at, expected);
  const auto read = seen.read_page(k.relation(), k.relation_fork(), k.d, at, found);
  ASSERT_EQ(read.has_value(), wanted.has_value())
      << where << ": " << (read ? wanted.error().message : read.error().message);
  if (read)
    ASSERT_TRUE(expected.data == found.data) << where;
  else
    ASSERT_EQ(read.error().code, wanted.error().code) << where;
}

void golden_history_judge::expect_same(const layers::view& seen, std::mt19937_64& random,
                                       int reads) const {
  const lsn from = std::max(seen.from(), scenario_.start);
  for (int i = 0; i < reads; ++i) {
    const touched& one = touched_[random() % touched_.size()];
    lsn at = random() % 2 == 0 ? one.at : random_end(random, from, seen.until());
    at = std::clamp(at, from, seen.until());
    ASSERT_NO_FATAL_FAILURE(expect_same(seen, one.k, at));
  }
}

void golden_history_judge::expect_stops(const layers::view& seen) const {
  for (const golden_stop& stop : scenario_.stops) {
    if (stop.at < seen.from() || stop.at > seen.until()) continue;
    size_t compared = 0;
    const auto found = replay_.differences(seen, stop, compared);
    ASSERT_TRUE(found.empty()) << found.size() << " differences, the first: " << found.front();
  }
}

golden_timelines::golden_timelines(file_system& files, const golden_history_judge& judge,
                                   path directory)
    : limits(tiny_layer_limits()), files_(files), judge_(judge), directory_(std::move(directory)) {
  const golden_scenario& scenario = judge.scenario();
  repository::timeline_metadata root;
  root.id.value.fill(1);
  root.system = scenario.identity.system;
  root.segment_size_bytes = scenario.identity.segment_size_bytes;
  root.start = scenario.start;
  root.start_previous_record = judge.previous_of(scenario.start);
  root.pg_timelines = {{pg_timeline{1}, lsn{1}}};
  metadata_.push_back(root);
  restart();

  must(create_directories_durably(files_, directory_of(0) / "layers"));
  must(create_directories_durably(files_, directory_of(0) / "wal"));
  auto image = must(layers::image_writer::create(
      files_, directory_of(0) / "layers" / repository::base_image_name, root.start));
  for (const auto& [k, value] : golden_base_values()) must(image.add(k, value));
  must(image.finish());
  const byte_view first = byte_view{scenario.wal}.first(root.start - scenario.begin);
  bytes segment(first.begin(), first.end());
  segment.resize(root.segment_size_bytes);
  must(write_file_durably(
      files_,
      directory_of(0) / "wal" /
          pg::segment_file_name(pg_timeline{1}, scenario.begin.value() / root.segment_size_bytes,
                                root.segment_size_bytes),
      segment));
}

void golden_timelines::restart() {
  registry_ =
      std::make_shared<layers::layer_files>(files_, directory_, layers::layer_files::limits{});
}

path golden_timelines::directory_of(size_t number) const {
  return directory_ / to_string(metadata_[number].id);
}

repository::timeline_metadata golden_timelines::add_child(size_t parent, lsn start) {
  repository::timeline_metadata made = metadata_.front();
  made.id.value.fill(static_cast<uint8_t>(metadata_.size() + 1));
  made.ancestor = repository::timeline_point{metadata_[parent].id, start};
  made.start = start;
  made.start_previous_record = judge_.previous_of(start);
  metadata_.push_back(made);
  must(create_directories_durably(files_, directory_of(metadata_.size() - 1)));
  return made;
}

repository::timeline_store::parameters golden_timelines::parameters(size_t number) const {
  repository::timeline_store::parameters how;
  how.files = &files_;
  how.directory = directory_of(number);
  how.metadata = metadata_[number];
  how.registry = registry_;
  how.limits = limits;
  how.on_failure = [](const wal::raw_record& record, const error& cause) {
    ADD_FAILURE() << to_string(record.start) << ": " << cause.message;
  };
  return how;
}

layers::layer_limits tiny_layer_limits() {
  layers::layer_limits limits;
  limits.open_layer_bytes = 32 << 10;
  limits.file_bytes = 64 << 10;
  limits.level0_merge_at = 2;
  limits.level0_max = 4;
  limits.level1_bytes = 128 << 10;
  limits.level_factor = 3;
  limits.records_per_page_max = 4;
  limits.job_bytes = 512 << 10;
  return limits;
}

bool write_one_layer(repository::timeline_store& store) {
  const auto job = store.layers().next_write();
  if (!job) return false;
  must(store.layers().install(*job, must(job->run())));
  store.layers_changed();
  return true;
}

bool merge_one(repository::timeline_store& store, bool collect) {
  const auto job = must(store.layers().next_merge(store.kept(), collect));
  if (!job) return false;
  must(store.layers().install(*job, must(job->run([] { return false; }))));
  store.layers_changed();
  return true;
}

void settle(repository::timeline_store& store, bool collect) {
  must(store.freeze());
  while (write_one_layer(store)) {
  }
  while (merge_one(store, collect)) {
  }
}

}  // namespace zenith::testing
