// The golden corpus in layer files: written as it came, read again, equal to what was in memory.
#include <gtest/gtest.h>

#include "storage/layers/layer_writes.hpp"
#include "storage/postgres/stored_record.hpp"
#include "tests/support/golden_replay.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::testing {
namespace {

using layers::layer_reference;
using layers::memory_layer;

class golden_files : public ::testing::TestWithParam<std::string> {
 protected:
  /// Takes all records in; called before each with where it begins.
  template <class Before>
  void ingest_all(layers::ingestor& ingestor, const Before& before) {
    for_each_golden_record(scenario_, [&](const wal::raw_record& raw, const pg::record&) {
      before(raw.start);
      ASSERT_TRUE(ingestor.ingest(raw));
    });
  }
  layers::ingestor ingestor_into(const std::shared_ptr<memory_layer>& layer) {
    return {layer, below_, [](const wal::raw_record& record, const error& cause) {
              ADD_FAILURE() << to_string(record.start) << ": " << cause.message;
            }};
  }

  /// Writes the layer, and gives how many bytes the file has.
  uint64_t write(const memory_layer& layer) {
    const auto written = write_frozen_layer(layer, out_, {});
    EXPECT_TRUE(written) << written.error().message;
    EXPECT_EQ(written->files.size(), 1u);
    const layers::layer_file_info& file = written->files.front();
    EXPECT_EQ(file.after, layer.start());
    EXPECT_EQ(file.last, layer.published());
    below_.insert(below_.begin(), {out_.files->find(file), lsn::max()});
    return file.size_bytes;
  }

  golden_scenario scenario_ = load_golden(GetParam());
  golden_replay replay_{scenario_};
  memory_file_system files_;
  layers::layer_output out_{
      std::make_shared<layers::layer_files>(files_, "/timelines", layers::layer_files::limits{}),
      {},
      std::make_shared<std::atomic<uint64_t>>(1)};
  std::vector<layer_reference> below_{{replay_.base(), lsn::max()}};
};

INSTANTIATE_TEST_SUITE_P(scenarios, golden_files, ::testing::ValuesIn(golden_names()),
                         [](const auto& which) { return which.param; });

TEST_P(golden_files, a_history_in_files_is_the_one_that_PostgreSQL_has) {
  auto layer = std::make_shared<memory_layer>(scenario_.start);
  auto ingestor = ingestor_into(layer);
  size_t stop = 0;
  ingest_all(ingestor, [&](lsn start) {
    if (stop == scenario_.stops.size() || start < scenario_.stops[stop].at) return;
    ++stop;
    if (layer->published() == layer->start()) return;
    write(*layer);
    layer = std::make_shared<memory_layer>(layer->published());
    ingestor.continue_in(layer, below_);
  });
  if (layer->published() != layer->start()) write(*layer);
  EXPECT_GE(below_.size(), scenario_.stops.size());
  const layers::view view(below_, scenario_.start, scenario_.end);
  size_t compared = 0;
  for (const golden_stop& at : scenario_.stops) {
    const auto found = replay_.differences(view, at, compared);
    EXPECT_TRUE(found.empty()) << found.size() << " differences, the first: " << found.front();
  }
  EXPECT_GT(compared, 2000u);
}

/// What a version makes of a page; an error as its text.
std::string redone(byte_view raw, const layers::version_entry& v, page& p) {
  static pg::record record;
  if (const auto done = pg::decode_record(raw, v.record_start, v.at, record); !done)
    return done.error().message;
  const auto applied = redo::apply(record, v.k, p);
  return applied ? "" : applied.error().message;
}

TEST_P(golden_files, each_record_as_it_is_stored_makes_the_same_page) {
  const auto layer = std::make_shared<memory_layer>(scenario_.start);
  auto ingestor = ingestor_into(layer);
  ingest_all(ingestor, [](lsn) {});
  const layers::view base(below_, scenario_.start, scenario_.start);

  const auto cursor = layer->cursor();
  std::vector<layers::version_entry> of_key;  // newest first
  uint64_t applied = 0;
  uint64_t stored_bytes = 0;
  uint64_t raw_bytes = 0;
  const auto replay_key = [&] {
    if (of_key.empty() || of_key.front().k.is_all_blocks()) return;
    const key k = of_key.front().k;
    page p;
    if (const auto before = base.value(k, scenario_.start); before && *before)
      std::ranges::copy(**before, p.begin());
    for (auto v = of_key.rbegin(); v != of_key.rend(); ++v) {
      if (!v->is_record()) {
        p = {};
        continue;
      }
      pg::record record;
      bytes stored;
      ASSERT_TRUE(pg::decode_record(v->data, v->record_start, v->at, record));
      pg::encode_for_page(record, k, stored);
      ASSERT_LE(stored.size(), v->data.size());
      page ours = p;
      const std::string expected = redone(v->data, *v, p);
      ASSERT_EQ(redone(stored, *v, ours), expected);
      if (!expected.empty()) return;
      ASSERT_EQ(ours.data, p.data) << to_string(k) << " as of " << to_string(v->at);
      ++applied;
      stored_bytes += stored.size();
      raw_bytes += v->data.size();
    }
  };
  for (layers::version_entry one;;) {
    const bool more = cursor->next(one).value();
    if (!of_key.empty() && (!more || one.k != of_key.front().k)) {
      replay_key();
      of_key.clear();
    }
    if (!more) break;
    if (one.k.kind == key_kind::relation_block || one.k.kind == key_kind::slru_page)
      of_key.push_back(one);
  }
  EXPECT_GT(applied, 500u);
  RecordProperty("records", static_cast<int>(applied));
  RecordProperty("bytes", std::to_string(raw_bytes) + " become " + std::to_string(stored_bytes));
}

}  // namespace
}  // namespace zenith::testing
