// Every version of every page in the golden corpus, read in several ways that must agree.
#include <gtest/gtest.h>

#include <random>

#include "storage/layers/image_layer.hpp"
#include "storage/layers/page_cache.hpp"
#include "storage/postgres/mask.hpp"
#include "tests/support/golden_replay.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::testing {
namespace {

class golden_history : public ::testing::TestWithParam<std::string> {
 protected:
  /// A block as a server that replays all WAL in order had it right after a record.
  struct version {
    key block;
    lsn at;
    uint32_t crc;  // of the whole page
  };

  /// Every version of every block. Fails where a page cannot be redone.
  std::vector<version> versions_in_order() const {
    std::vector<version> versions;
    auto sink = golden_sink();
    for_each_golden_record(scenario_, [&](const wal::raw_record&, const pg::record& record) {
      const auto done = sink.replay(record);
      ASSERT_TRUE(done) << done.error().message;
      for (const key& k : sink.changed()) {
        if (k.kind != key_kind::relation_block) continue;
        const auto read = sink.read_block(k.relation(), k.relation_fork(), k.d);
        if (!read && read.error().code == errc::not_found) continue;
        ASSERT_TRUE(read) << read.error().message;
        versions.push_back({k, record.end, crc32c(read->view())});
      }
    });
    return versions;
  }

  static void expect_version(const layers::view& view, const version& v) {
    page found;
    const auto read =
        view.read_page(v.block.relation(), v.block.relation_fork(), v.block.d, v.at, found);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(crc32c(found.view()), v.crc) << to_string(v.block) << " at " << to_string(v.at);
  }

  golden_scenario scenario_ = load_golden(GetParam());
  golden_replay replay_{scenario_};
};

INSTANTIATE_TEST_SUITE_P(scenarios, golden_history, ::testing::ValuesIn(golden_names()),
                         [](const auto& which) { return which.param; });

TEST_P(golden_history, every_page_at_every_lsn_is_what_replay_in_order_had_there) {
  const auto versions = versions_in_order();
  ASSERT_GT(versions.size(), 1000u);
  const auto cached = replay_.view(std::make_shared<layers::page_cache>(size_t{64} << 20));
  for (const version& v : versions) ASSERT_NO_FATAL_FAILURE(expect_version(cached, v));
}

TEST_P(golden_history, pages_read_in_any_order_do_not_depend_on_what_a_cache_holds) {
  auto versions = versions_in_order();
  const auto seed = test_seed();
  SCOPED_TRACE(seed);
  std::ranges::shuffle(versions, std::mt19937(seed));
  if (!full_test_level()) versions.resize(std::min<size_t>(versions.size(), 8000));
  // Too small for all, so that pages are evicted and made again.
  const auto cached = replay_.view(std::make_shared<layers::page_cache>(size_t{1} << 20));
  for (const version& v : versions) ASSERT_NO_FATAL_FAILURE(expect_version(cached, v));
  if (!full_test_level()) versions.resize(std::min<size_t>(versions.size(), 4000));
  const auto uncached = replay_.view();
  for (const version& v : versions) ASSERT_NO_FATAL_FAILURE(expect_version(uncached, v));
}

/// Everything that a view has at an LSN, as an image layer's file.
std::shared_ptr<const layers::image_layer> write_image(file_system& files, const path& name,
                                                       const layers::view& view, lsn at) {
  auto writer = layers::image_writer::create(files, name, at);
  if (!writer) throw std::runtime_error(writer.error().message);
  const auto keys =
      view.keys(key{key_kind::control},
                key{key_kind::relation_size, UINT32_MAX, UINT32_MAX, UINT32_MAX, 3}, at);
  if (!keys) throw std::runtime_error(keys.error().message);
  std::vector<std::pair<key, relation_state>> forks;
  for (const key& k : *keys) {
    const auto value = view.value(k, at);
    if (!value || !*value) throw std::runtime_error(to_string(k) + " cannot be read");
    if (!writer->add(k, **value)) throw std::runtime_error(to_string(k) + " cannot be written");
    if (k.kind != key_kind::relation_size) continue;
    const auto state = view.relation(k.relation(), k.relation_fork(), at);
    forks.emplace_back(k, state.value().value());
  }
  for (const auto& [k, state] : forks)
    for (block_number block = 0; block < state.blocks(); ++block) {
      page content;
      const auto read = view.read_page(k.relation(), k.relation_fork(), block, at, content);
      if (!read) throw std::runtime_error(read.error().message);
      if (!writer->add(key::block(k.relation(), k.relation_fork(), block), content.view()))
        throw std::runtime_error(to_string(k) + " cannot be written");
    }
  if (!writer->finish()) throw std::runtime_error("the image cannot be finished");
  auto opened = layers::image_layer::open(files, name);
  if (!opened) throw std::runtime_error(opened.error().message);
  return *opened;
}

TEST_P(golden_history, an_image_written_in_the_middle_carries_all_that_comes_after_it) {
  memory_file_system files;
  const lsn middle = scenario_.stops[scenario_.stops.size() / 2].at;
  const auto image = write_image(files, "/middle.image", replay_.view(), middle);
  EXPECT_EQ(image->at(), middle);
  const auto layer = std::make_shared<layers::memory_layer>(middle);
  layers::ingestor ingestor(
      layer, {{image, lsn::max()}}, nullptr,
      [](const wal::raw_record&, const error& cause) { ADD_FAILURE() << cause.message; });
  for_each_golden_record(scenario_, [&](const wal::raw_record& raw, const pg::record&) {
    if (raw.start >= middle) ASSERT_TRUE(ingestor.ingest(raw));
  });
  const layers::view view({{layer, scenario_.end}, {image, lsn::max()}}, middle, scenario_.end);
  size_t compared = 0;
  for (const golden_stop& stop : scenario_.stops) {
    if (stop.at < middle) continue;
    const auto found = replay_.differences(view, stop, compared);
    EXPECT_TRUE(found.empty()) << found.size() << " differences, the first: " << found.front();
  }
  EXPECT_GT(compared, 5000u);
}

TEST_P(golden_history, each_image_for_checking_is_what_redo_makes_of_the_page) {
  auto sink = golden_sink();
  size_t checked = 0;
  for_each_golden_record(scenario_, [&](const wal::raw_record&, const pg::record& record) {
    const auto done = sink.replay(record);
    ASSERT_TRUE(done) << done.error().message;
    for (const auto& block : record.blocks()) {
      if (!block.has_image || block.image.apply) continue;
      page expected;
      const auto restored = pg::restore_image(block, record.start, expected);
      ASSERT_TRUE(restored) << restored.error().message;
      auto found = sink.read_block(block.relation, block.fork, block.block);
      ASSERT_TRUE(found) << found.error().message;
      pg::mask_page(record.rmgr, block.block, expected);
      pg::mask_page(record.rmgr, block.block, *found);
      ASSERT_TRUE(found->data == expected.data) << pg::describe(record);
      ++checked;
    }
  });
  RecordProperty("images", static_cast<int>(checked));
  const bool has_images = GetParam() == "heap" || GetParam() == "indexes";
  EXPECT_EQ(checked > 1000, has_images) << checked;
}

}  // namespace
}  // namespace zenith::testing
