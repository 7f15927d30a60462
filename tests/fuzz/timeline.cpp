// timeline: records put into a memory layer one after the other, and all that they changed read.
#include <memory>

#include "storage/layers/ingestor.hpp"
#include "storage/postgres/control_file.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/guarded.hpp"
#include "tests/fuzz/timeline_case.hpp"

namespace {

using namespace zenith;
using namespace zenith::fuzz;

bytes numbers(std::initializer_list<uint32_t> values) {
  input_writer out;
  for (const auto value : values) out.put(value);
  return out.take();
}

/// What a base image would hold: counters, a database, some relations, pages of every SLRU.
std::vector<layers::layer_reference> make_base() {
  auto layer = std::make_shared<layers::memory_layer>(lsn{});
  const lsn at = case_base_end;
  layer->put_value(key::control(), at, pg::encode_control_data({}));
  layer->put_value(key::next_full_xid(), at, numbers({740, 0}));
  layer->put_value(key::next_oid(), at, numbers({24576}));
  layer->put_value(key::next_multixact(), at, numbers({1, 0}));
  layer->put_value(key::tablespace(16390), at, bytes{});
  layer->put_value(key::replication_origin(1), at, numbers({0, 0}));
  layer->put_value(key::two_phase(741), at, bytes(64));
  layer->put_value(key::relation_map(1663, 5), at, bytes(512));
  for (const uint32_t database : {1u, 5u})
    layer->put_value(key::database(1663, database), at, bytes{});
  for (const auto slru : all_slrus)
    for (const uint32_t number : {0u, 1u, 32u, 64u})
      layer->put_value(key::slru(slru, number), at, bytes(page_size_bytes));
  for (const uint32_t node : {16384u, 16385u, 16390u, 2619u})
    for (const auto fork : {fork_number::main, fork_number::fsm, fork_number::vm})
      layer->put_value(key::size({1663, 5, node}, fork), at, relation_state::of_base(9).encode());
  layer->publish(at);
  return {{layer, at}};
}

/// Reads everything that is there at the end; what cannot be read is an error and no more.
void read_all(const layers::view& v, lsn until, const timeline_case& made) {
  const key first{}, last{key_kind::configuration_file, ~0u, ~0u, ~0u, 255, ~0u};
  const auto keys = v.keys(first, last, until);
  // What a record that was not understood may have changed is refused.
  size_t values = 0;
  if (keys)
    for (const auto& k : *keys) {
      if (k.kind == key_kind::relation_size)
        (void)v.relation(k.relation(), k.relation_fork(), until);
      else if (++values <= 64)
        (void)v.value(k, until);
    }
  static guarded_page p;
  for (const auto& record : made.records)
    for (const auto& block : record.blocks) {
      (void)v.read_page(block.relation, block.fork, block.number, until, *p);
      (void)v.read_page(block.relation, fork_number::vm, block.number / 32672, until, *p);
    }
}

void run(byte_view input) {
  static const auto base = make_base();
  const auto made = timeline_case::read(input);
  auto layer = std::make_shared<layers::memory_layer>(case_base_end);
  layers::ingestor ingestor(layer, base, [](const wal::raw_record&, const error&) {});
  static guarded_memory memory(4 * 1024 * 1024);
  lsn now = case_base_end;
  size_t bytes_in = 0;
  for (const auto& record : made.records) {
    const auto built = record.raw();
    if (built.size() > memory.capacity_bytes()) continue;
    const auto raw = memory.use(built.size());
    std::ranges::copy(built, raw.begin());
    const lsn start = std::max(now, case_start);
    const lsn end = (start + raw.size()).aligned();
    const auto taken = ingestor.ingest({start, end, raw});
    demand(layer->published() == (taken ? end : now), "what is taken is published, no more");
    // Only what cannot be taken apart is refused; the timeline ends there.
    if (!taken) break;
    now = end;
    bytes_in += raw.size();
  }
  // A version for each four bytes: a page of each SLRU for each subtransaction, with room to spare.
  demand(layer->versions() <= 512 * made.records.size() + bytes_in, "versions are bounded");
  demand(layer->size_bytes() <= (4u << 20) + 512 * bytes_in, "memory is bounded");
  if (now != case_base_end)
    read_all(layers::view({{layer, now}, base.front()}, case_base_end, now), now, made);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  run(as_view(data, size));
  return 0;
}
