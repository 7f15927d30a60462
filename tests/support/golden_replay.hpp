// golden_replay: a scenario's WAL put into layers over the base, as a timeline does it.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/layers/ingestor.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/layers/view.hpp"
#include "storage/postgres/record.hpp"
#include "tests/support/golden_corpus.hpp"
#include "tests/support/map_layer.hpp"
#include "tests/support/memory_sink.hpp"

namespace zenith::testing {

/// Each record of a scenario, as raw bytes and taken apart. Throws where the WAL is not whole.
void for_each_golden_record(
    const golden_scenario& scenario,
    const std::function<void(const wal::raw_record&, const pg::record&)>& each);

/// The base as values that a layer can hold: sizes as relation states. Made once a process.
const std::map<key, bytes>& golden_base_values();

/// The base, and a scenario's records above it.
class golden_replay {
 public:
  /// May change a record before it is ingested (its CRC is not looked at any more).
  using change_record = std::function<void(lsn start, byte_span record)>;

  explicit golden_replay(const golden_scenario& scenario, const change_record& change = nullptr);

  layers::view view(std::shared_ptr<layers::page_cache> cache = nullptr) const;
  /// What the records lie above.
  std::shared_ptr<const layers::layer> base() const { return base_; }
  /// Where a view differs from what PostgreSQL has at a stop: a sentence each. `compared`: grows
  /// by the number of blocks that were. A heap page may have an older LSN where the newer one is
  /// Heap2/VISIBLE's: PostgreSQL sets it where hint bits are logged (heapam.c, heap_xlog_visible),
  /// which redo does not know.
  std::vector<std::string> differences(const layers::view& view, const golden_stop& stop,
                                       size_t& compared) const;
  /// The blocks among these differences.
  std::set<key> differing_blocks(const layers::view& view, const golden_stop& stop) const;
  /// What could not be ingested.
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  const golden_scenario& scenario_;
  std::shared_ptr<map_layer> base_;
  std::shared_ptr<layers::memory_layer> layer_;
  std::vector<std::string> failures_;
  std::set<lsn> visible_ends_;  // of Heap2/VISIBLE records
};

/// A sink that holds the base.
memory_sink golden_sink();

}  // namespace zenith::testing
