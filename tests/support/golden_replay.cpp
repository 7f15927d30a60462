// golden_replay: ingesting a scenario's WAL, and comparing a view with a stop.
#include "tests/support/golden_replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "storage/base/relation_state.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {
namespace {

/// Sizes of forks whose blocks are compared.
bool is_judged(const key& size, const std::vector<key>& all) {
  if (size.relation_fork() == fork_number::fsm) return false;
  return size.relation_fork() == fork_number::init ||
         !std::ranges::binary_search(all, key::size(size.relation(), fork_number::init));
}

class comparison {
 public:
  comparison(const layers::view& view, const golden_stop& stop, const std::set<lsn>& visible_ends)
      : view_(view), stop_(stop), visible_ends_(visible_ends) {}

  std::set<key> keys() const { return keys_; }

  std::vector<std::string> run(size_t& compared) {
    for (const auto& [k, value] : stop_.values) {
      if (k.kind == key_kind::control)
        compare_control(value);
      else if (k.kind == key_kind::relation_size)
        compare_fork(k, load<uint32_t>(value.data()), compared);
      else if (k.kind != key_kind::relation_block)
        compare_value(k, value);
    }
    find_what_should_not_be();
    return std::move(differences_);
  }

 private:
  void add(const key& k, const std::string& what) {
    keys_.insert(k);
    differences_.push_back(fmt::format("{} at {}: {}", to_string(k), to_string(stop_.at), what));
  }

  void compare_value(const key& k, const bytes& expected) {
    const auto found = view_.value(k, stop_.at);
    if (!found) return add(k, found.error().message);
    if (!*found) return add(k, "is missing");
    const auto [a, b] = std::ranges::mismatch(**found, expected);
    if (a != (*found)->end() || b != expected.end())
      add(k, fmt::format("differs from byte {}", b - expected.begin()));
  }

  /// What WAL says of pg_control. Where the next transaction is and the like are values of their
  /// own; oldest ones that moved without cutting anything are in checkpoints only.
  void compare_control(const bytes& expected) {
    const auto found = view_.value(key::control(), stop_.at);
    if (!found || !*found) return add(key::control(), "is missing");
    const auto ours = pg::decode_control_file(**found);
    const auto theirs = pg::decode_control_file(expected);
    if (!ours || !theirs) return add(key::control(), "cannot be decoded");
    const auto expect = [&](const char* what, auto a, auto b) {
      if (a != b) add(key::control(), fmt::format("{}: {}, expected {}", what, a, b));
    };
    expect("system", to_string(ours->system), to_string(theirs->system));
    expect("checksums", ours->data_checksum_version, theirs->data_checksum_version);
    expect("wal_level", ours->wal_level, theirs->wal_level);
    expect("commit timestamps", ours->track_commit_timestamp, theirs->track_commit_timestamp);
    expect("oldest commit timestamp", ours->last_checkpoint.oldest_commit_ts_xid,
           theirs->last_checkpoint.oldest_commit_ts_xid);
    expect("oldest transaction", ours->last_checkpoint.oldest_xid,
           theirs->last_checkpoint.oldest_xid);
    expect("oldest multixact", ours->last_checkpoint.oldest_multixact,
           theirs->last_checkpoint.oldest_multixact);
  }

  void compare_fork(const key& size, block_number blocks, size_t& compared) {
    const auto found = view_.relation(size.relation(), size.relation_fork(), stop_.at);
    if (!found) return add(size, found.error().message);
    if (!*found || (*found)->blocks() != blocks)
      return add(size, fmt::format("{} blocks, expected {}",
                                   *found ? std::to_string((*found)->blocks()) : "no", blocks));
    for (block_number block = 0; block < blocks; ++block) {
      compare_block(key::block(size.relation(), size.relation_fork(), block));
      ++compared;
    }
  }

  void compare_block(const key& k) {
    const auto& base = load_golden_base().values;
    auto expected = stop_.values.find(k);
    if (expected == stop_.values.end()) expected = base.find(k);
    if (expected == stop_.values.end() || expected == base.end())
      return add(k, "neither the stop nor the base has it");
    page found;
    if (const auto read = view_.read_page(k.relation(), k.relation_fork(), k.d, stop_.at, found);
        !read)
      return add(k, read.error().message);
    const auto ours = golden_block::of(found);
    const auto theirs = golden_block::decode(expected->second);
    if (ours.crc != theirs.crc)
      return add(k, fmt::format("differs{}", place(found, expected->second)));
    if (ours.written > theirs.written ||
        (ours.written < theirs.written && !visible_ends_.contains(theirs.written)))
      add(k, fmt::format("has the LSN {}, expected {}", to_string(ours.written),
                         to_string(theirs.written)));
  }

  /// Of a sample: where.
  static std::string place(const page& found, const bytes& expected) {
    if (expected.size() != page_size_bytes) return "";
    constexpr size_t masked_bytes = 10;
    for (size_t i = masked_bytes; i < page_size_bytes; ++i)
      if (found.data[i] != expected[i])
        return fmt::format(" first at byte {}: {:#04x} came, {:#04x} was expected", i,
                           std::to_integer<unsigned>(found.data[i]),
                           std::to_integer<unsigned>(expected[i]));
    return "";
  }

  void find_what_should_not_be() {
    constexpr uint32_t last = UINT32_MAX;
    const auto sizes =
        view_.keys(key{key_kind::relation_size},
                   key{key_kind::relation_size, last, last, last, 255, last}, stop_.at);
    if (!sizes) return add({}, sizes.error().message);
    for (const key& k : *sizes)
      if (is_judged(k, *sizes) && !stop_.values.contains(k)) add(k, "should not exist");
    for (const key_kind kind :
         {key_kind::tablespace, key_kind::database, key_kind::relation_map, key_kind::two_phase,
          key_kind::replication_origin, key_kind::slru_page}) {
      const auto keys = view_.keys(key{kind}, key{kind, last, last, last, 255, last}, stop_.at);
      if (!keys) return add(key{kind}, keys.error().message);
      for (const key& k : *keys)
        if (!stop_.values.contains(k)) add(k, "should not exist");
    }
  }

  const layers::view& view_;
  const golden_stop& stop_;
  const std::set<lsn>& visible_ends_;
  std::vector<std::string> differences_;
  std::set<key> keys_;  // of the differences
};

}  // namespace

void for_each_golden_record(
    const golden_scenario& scenario,
    const std::function<void(const wal::raw_record&, const pg::record&)>& each) {
  wal::decoder decode(scenario.identity, scenario.start, lsn{});
  const lsn first_page = pg::wal_page_start(scenario.start);
  if (const auto fed = decode.feed(first_page, scenario.wal_from(first_page)); !fed)
    throw std::runtime_error(fed.error().message);
  const auto record = std::make_unique<pg::record>();
  while (decode.position() < scenario.end) {
    const auto raw = decode.next();
    if (!raw) throw std::runtime_error(raw.error().message);
    if (!*raw) throw std::runtime_error(scenario.name + ": the WAL ends too early");
    if (const auto done = pg::decode_record((*raw)->bytes, (*raw)->start, (*raw)->end, *record);
        !done)
      throw std::runtime_error(done.error().message);
    each(**raw, *record);
  }
}

const std::map<key, bytes>& golden_base_values() {
  static const std::map<key, bytes> values = [] {
    std::map<key, bytes> made = load_golden_base().values;
    for (auto& [k, value] : made)
      if (k.kind == key_kind::relation_size)
        value = relation_state::of_base(load<uint32_t>(value.data())).encode();
    return made;
  }();
  return values;
}

golden_replay::golden_replay(const golden_scenario& scenario, const change_record& change)
    : scenario_(scenario),
      base_(std::make_shared<map_layer>()),
      layer_(std::make_shared<layers::memory_layer>(scenario.start)) {
  base_->at = scenario.start;
  base_->values = golden_base_values();
  layers::ingestor ingestor(layer_, {{base_, lsn::max()}},
                            [this](const wal::raw_record& record, const error& cause) {
                              failures_.push_back(to_string(record.start) + ": " + cause.message);
                            });
  for_each_golden_record(scenario, [&](const wal::raw_record& raw, const pg::record& record) {
    constexpr uint8_t visible = 0x40;
    if (record.rmgr == pg::resource_manager::heap2 && (record.opcode() & 0x70) == visible)
      visible_ends_.insert(record.end);
    bytes changed(raw.bytes.begin(), raw.bytes.end());
    if (change) change(raw.start, changed);
    if (const auto done = ingestor.ingest({raw.start, raw.end, changed}); !done)
      failures_.push_back(done.error().message);
  });
}

layers::view golden_replay::view(std::shared_ptr<layers::page_cache> cache) const {
  return layers::view({{layer_, scenario_.end}, {base_, lsn::max()}}, scenario_.start,
                      scenario_.end, std::move(cache));
}

memory_sink golden_sink() {
  memory_sink sink;
  for (const auto& [k, value] : load_golden_base().values) {
    if (k.kind == key_kind::relation_size) {
      sink.set_relation(k.relation(), k.relation_fork(), load<uint32_t>(value.data()));
    } else if (k.kind == key_kind::relation_block) {
      page content;
      std::ranges::copy(value, content.begin());
      sink.set_block(k, content);
    } else {
      sink.set_value(k, value);
    }
  }
  return sink;
}

std::vector<std::string> golden_replay::differences(const layers::view& view,
                                                    const golden_stop& stop,
                                                    size_t& compared) const {
  return comparison(view, stop, visible_ends_).run(compared);
}

std::set<key> golden_replay::differing_blocks(const layers::view& view,
                                              const golden_stop& stop) const {
  comparison compare(view, stop, visible_ends_);
  size_t compared = 0;
  compare.run(compared);
  std::set<key> blocks;
  for (const key& k : compare.keys())
    if (k.kind == key_kind::relation_block) blocks.insert(k);
  return blocks;
}

}  // namespace zenith::testing
