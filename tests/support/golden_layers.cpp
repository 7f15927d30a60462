// Making what golden layer files hold, by numbers that never change.
#include "tests/support/golden_layers.hpp"

#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"

namespace zenith::testing {
namespace {

const relation_id table{1663, 5, 16384};

/// So many bytes that do not compress, then others.
bytes made_bytes(uint32_t seed, size_t size, size_t noise) {
  bytes made(size, std::byte(seed));
  uint32_t x = seed * 2654435761u + 1;
  for (size_t i = 0; i < noise; ++i) {
    x = x * 1664525u + 1013904223u;
    made[i] = static_cast<std::byte>(x >> 24);
  }
  return made;
}
bytes made_bytes(uint32_t seed, size_t size) { return made_bytes(seed, size, size / 2); }

sample_version record(version_kind kind, lsn at, uint32_t seed, size_t size) {
  return {kind, made_bytes(seed, size), at - (size + 8), {}, {}};
}
sample_version value(bytes data) { return {version_kind::value, std::move(data), {}, {}, {}}; }
sample_version absence() { return {version_kind::absent, {}, {}, {}, {}}; }

/// One key of each kind but blocks.
std::vector<key> single_keys() {
  return {key::control(),
          key::next_full_xid(),
          key::next_oid(),
          key::next_multixact(),
          key::tablespace(16390),
          key::database(1663, 5),
          key::relation_map(1664, 0),
          key::two_phase(777),
          key::replication_origin(3),
          key::slru(slru_kind::commit_ts, 9),
          key::size(table, fork_number::vm),
          key{key_kind::configuration_file, 2}};
}

}  // namespace

sample_versions golden_versions() {
  sample_versions all;
  uint32_t seed = 1;
  for (const key& k : single_keys()) {
    all[k][golden_after + 1] = value(made_bytes(seed, 10 * seed));
    all[k][golden_after + 50 * seed] = seed % 2 ? absence() : value({});
    ++seed;
  }
  // A page with many small records, and one that begins with each kind.
  for (uint32_t i = 0; i < 200; ++i) {
    const lsn at = golden_after + 100 * (i + 1);
    all[key::block(table, fork_number::main, 7)][at] =
        record(version_kind::changes, at, i, 20 + i % 50);
  }
  for (uint32_t i = 0; i < 60; ++i) {
    const key k = key::block(table, fork_number::main, 100 + 3 * i);
    const lsn at = golden_after + 200 * (i + 1);
    all[k][at] = record(version_kind::initialises, at, i, 30 + i);
    all[k][at + 40] = record(version_kind::changes, at + 40, i, 10);
    if (i % 20 == 0) all[k][at + 80] = value(made_bytes(i, page_size_bytes));
  }
  all[key::block({1663, 6, 16384}, fork_number::main, ~0u)][golden_last] = {
      version_kind::copy, {}, {}, key::block(table, fork_number::main, ~0u), golden_last - 64};
  int64_t newest = layers::no_time;
  for (uint64_t i = 0; i < 3; ++i) {
    std::vector<layers::transaction_end> ends;
    for (uint64_t n = 0; n < 10; ++n) {
      const lsn start = golden_after + 4000 * (i + 1) + 100 * n;
      ends.push_back({static_cast<int64_t>(1'000'000 * (10 * i + n)) - 500, start, start + 34});
    }
    const lsn first = ends.front().end;
    all[key::transaction_ends(first.value())][first] =
        value(layers::encode_transaction_ends(newest, ends));
    newest = ends.back().time_us;
  }
  return all;
}

sample_versions golden_flushed_versions() {
  sample_versions all = golden_versions();
  for (uint32_t i = 0; i < 3; ++i)
    all[key::block(table, fork_number::main, 1000 + i)][golden_after + 300 * (i + 1)] =
        value(made_bytes(900 + i, page_size_bytes, page_size_bytes));
  return all;
}

sample_versions golden_ends() {
  sample_versions all;
  int64_t newest = layers::no_time;
  for (uint64_t i = 0; i < 40; ++i) {
    std::vector<layers::transaction_end> ends;
    for (uint64_t n = 0; n < 7; ++n) {
      const lsn start = golden_after + 700 * (i + 1) + 100 * n;
      // Of the first ones what is written before is not known.
      const lsn previous = i == 0 && n < 3 ? lsn{} : start - 8 * (n + 1);
      ends.push_back(
          {static_cast<int64_t>(1'000'000 * (10 * i + n)) - 500, start, start + 34, previous});
    }
    const lsn first = ends.front().end;
    all[key::transaction_ends(first.value())][first] =
        value(layers::encode_transaction_ends(newest, ends));
    newest = ends.back().time_us;
  }
  return all;
}

std::map<key, bytes> golden_image() {
  std::map<key, bytes> all;
  uint32_t seed = 1;
  for (const key& k : single_keys()) {
    all[k] = made_bytes(seed, 13 * seed);
    ++seed;
  }
  all[key::two_phase(778)] = {};
  for (uint32_t i = 0; i < 40; ++i) all[key::slru(slru_kind::xact, 5 * i)] = made_bytes(i, 200 + i);
  for (uint32_t i = 0; i < 8; ++i)
    all[key::block(table, fork_number::main, 2 * i)] = made_bytes(i, page_size_bytes);
  return all;
}

namespace {

result<layers::layer_file_info> write_delta(file_system& files, const path& name,
                                            const sample_versions& versions, int level) {
  ZENITH_TRY_ASSIGN(auto out,
                    layers::delta_writer::create(files, name, golden_delta_name, golden_after,
                                                 golden_last, level, golden_sizes));
  result<void> outcome;
  for_each_entry(versions, [&](const layers::version_entry& entry) {
    if (outcome) outcome = out.add(entry);
  });
  ZENITH_TRY(outcome);
  return out.finish();
}

}  // namespace

result<layers::layer_file_info> write_golden_delta(file_system& files, const path& name) {
  return write_delta(files, name, golden_versions(), 3);
}

result<layers::layer_file_info> write_golden_flushed(file_system& files, const path& name) {
  return write_delta(files, name, golden_flushed_versions(), layers::block_file_writer::lz4_level);
}

result<layers::layer_file_info> write_golden_ends(file_system& files, const path& name) {
  return write_delta(files, name, golden_ends(), 3);
}

result<void> write_golden_image(file_system& files, const path& name) {
  ZENITH_TRY_ASSIGN(auto out,
                    layers::image_writer::create(files, name, golden_last, 3, golden_sizes));
  for (const auto& [k, data] : golden_image()) ZENITH_TRY(out.add(k, data));
  ZENITH_TRY(out.finish());
  return {};
}

}  // namespace zenith::testing
