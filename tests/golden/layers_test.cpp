// The golden corpus in layers of all shapes: one, many, over an image of its middle; self-checked.
#include <gtest/gtest.h>

#include "storage/layers/image_layer.hpp"
#include "tests/support/golden_replay.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::testing {
namespace {

using layers::layer_reference;
using layers::memory_layer;

class golden_layers : public ::testing::TestWithParam<std::string> {
 protected:
  static layers::ingestor ingestor_into(std::shared_ptr<memory_layer> layer,
                                        std::vector<layer_reference> below) {
    return {std::move(layer), std::move(below),
            [](const wal::raw_record& record, const error& cause) {
              ADD_FAILURE() << to_string(record.start) << ": " << cause.message;
            }};
  }

  /// Compares with what PostgreSQL has at each stop that the view covers.
  void expect_stops(const layers::view& view) const {
    size_t compared = 0;
    for (const golden_stop& stop : scenario_.stops) {
      if (stop.at < view.from() || stop.at > view.until()) continue;
      const auto found = replay_.differences(view, stop, compared);
      EXPECT_TRUE(found.empty()) << found.size() << " differences, the first: " << found.front();
    }
    EXPECT_GT(compared, 2000u);
  }

  golden_scenario scenario_ = load_golden(GetParam());
  golden_replay replay_{scenario_};
};

INSTANTIATE_TEST_SUITE_P(scenarios, golden_layers, ::testing::ValuesIn(golden_names()),
                         [](const auto& which) { return which.param; });

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

TEST_P(golden_layers, an_image_written_in_the_middle_carries_all_that_comes_after_it) {
  memory_file_system files;
  const lsn middle = scenario_.stops[scenario_.stops.size() / 2].at;
  const auto image = write_image(files, "/middle.image", replay_.view(), middle);
  EXPECT_EQ(image->at(), middle);
  const auto layer = std::make_shared<memory_layer>(middle);
  auto ingestor = ingestor_into(layer, {{image, lsn::max()}});
  for_each_golden_record(scenario_, [&](const wal::raw_record& raw, const pg::record&) {
    if (raw.start >= middle) ASSERT_TRUE(ingestor.ingest(raw));
  });
  expect_stops({{{layer, scenario_.end}, {image, lsn::max()}}, middle, scenario_.end});
}

TEST_P(golden_layers, a_history_of_branches_of_branches_reads_as_one) {
  // Each timeline leaves its parent at a stop, and has WAL of its own up to a record past the next.
  std::vector<layer_reference> below{{replay_.base(), lsn::max()}};
  auto layer = std::make_shared<memory_layer>(scenario_.start);
  auto ingestor = std::make_unique<layers::ingestor>(ingestor_into(layer, below));
  auto stop = scenario_.stops.begin();
  for_each_golden_record(scenario_, [&](const wal::raw_record& raw, const pg::record&) {
    if (raw.start >= stop->at) {
      ASSERT_TRUE(ingestor->ingest(raw));
      below.insert(below.begin(), {layer, stop->at});
      layer = std::make_shared<memory_layer>(stop->at);
      ingestor = std::make_unique<layers::ingestor>(ingestor_into(layer, below));
      ++stop;
    }
    ASSERT_TRUE(ingestor->ingest(raw));
  });
  below.insert(below.begin(), {layer, scenario_.end});
  EXPECT_EQ(below.size(), scenario_.stops.size() + 1);
  expect_stops({below, scenario_.start, scenario_.end});
}

TEST_P(golden_layers, the_self_check_finds_each_image_equal) {
  const auto layer = std::make_shared<memory_layer>(scenario_.start);
  auto ingestor = ingestor_into(layer, {{replay_.base(), lsn::max()}});
  ingestor.check_images([](const std::string& what) { ADD_FAILURE() << what; });
  uint64_t images = 0;
  for_each_golden_record(scenario_, [&](const wal::raw_record& raw, const pg::record& record) {
    ASSERT_TRUE(ingestor.ingest(raw));
    for (const auto& block : record.blocks()) images += block.has_image && !block.image.apply;
  });
  EXPECT_EQ(ingestor.images().checked, images);
  EXPECT_EQ(ingestor.images().mismatches, 0u);
  EXPECT_EQ(ingestor.images().failures, 0u);
}

}  // namespace
}  // namespace zenith::testing
