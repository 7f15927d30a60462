// The golden corpus as a judge: redo that changes one byte too many or too few is noticed.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/support/golden_replay.hpp"

namespace zenith::testing {
namespace {

/// One byte of a record that is the last one to change a block before a stop.
struct flip {
  std::string type;
  lsn stop;
  key block;
  size_t byte = 0;  // in the record
};

/// In the middle of what a record holds for a block, or of its main data, a byte other than zero:
/// those may be padding. None where an image makes the block.
std::optional<size_t> byte_to_flip(const wal::raw_record& raw, const pg::record& record,
                                   const key& block) {
  for (const auto& reference : record.blocks()) {
    if (reference.page_key() != block) continue;
    if (reference.has_image && reference.image.apply) return std::nullopt;
    const byte_view part = reference.data.empty() ? record.main_data : reference.data;
    const auto found = std::find_if(part.begin() + part.size() / 2, part.end(),
                                    [](std::byte b) { return b != std::byte{0}; });
    if (found == part.end()) return std::nullopt;
    return &*found - raw.bytes.data();
  }
  return std::nullopt;
}

/// By the start of the record: the last changes of blocks before each stop.
std::map<lsn, flip> last_changes(const golden_scenario& scenario) {
  std::map<lsn, flip> flips;
  std::map<key, std::pair<lsn, std::optional<flip>>> last;  // of a block: where the record starts
  auto stop = scenario.stops.begin();
  for_each_golden_record(scenario, [&](const wal::raw_record& raw, const pg::record& record) {
    const auto type =
        pg::resource_manager_name(record.rmgr) + "/" + pg::record_name(record.rmgr, record.info);
    for (const auto& reference : record.blocks()) {
      const key k = reference.page_key();
      if (k.relation_fork() != fork_number::main) continue;
      const auto byte = byte_to_flip(raw, record, k);
      last[k] = {record.start, byte ? std::optional(flip{type, stop->at, k, *byte}) : std::nullopt};
    }
    if (record.end < stop->at) return;
    for (const auto& [k, change] : last)
      if (change.second && stop->values.contains(k)) flips[change.first] = *change.second;
    last.clear();
    ++stop;
  });
  return flips;
}

TEST(golden_judge, one_byte_changed_in_what_redo_reads_is_noticed_at_the_next_stop) {
  std::map<std::string, std::pair<int, int>> by_type;  // flips, of these noticed
  for (const auto& name : golden_names()) {
    const auto scenario = load_golden(name);
    const auto flips = last_changes(scenario);
    const golden_replay replay(scenario, [&](lsn start, byte_span record) {
      // The ingestor checks no CRC: this is redo that reads one byte wrong.
      if (const auto found = flips.find(start); found != flips.end())
        record[found->second.byte] ^= std::byte{1};
    });
    const auto view = replay.view();
    std::map<lsn, std::set<key>> differing;
    for (const golden_stop& stop : scenario.stops)
      differing[stop.at] = replay.differing_blocks(view, stop);
    for (const auto& [start, flip] : flips) {
      auto& [flipped, noticed] = by_type[flip.type];
      ++flipped;
      noticed += differing.at(flip.stop).contains(flip.block);
    }
  }
  // Not all bytes count: some are padding, some tell of another block.
  int flipped = 0, noticed = 0;
  size_t types = 0;
  for (const auto& [type, counts] : by_type) {
    flipped += counts.first;
    noticed += counts.second;
    types += counts.second > 0;
  }
  EXPECT_GT(flipped, 1000);
  EXPECT_GT(noticed, flipped * 4 / 5);
  EXPECT_GT(types, 30u);
}

}  // namespace
}  // namespace zenith::testing
