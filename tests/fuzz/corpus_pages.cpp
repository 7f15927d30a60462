// corpus_pages: pages and the records that change them, from the WAL of real servers.
#include <fmt/format.h>

#include <memory>
#include <random>
#include <set>

#include "storage/redo/redo.hpp"
#include "tests/fuzz/corpus.hpp"
#include "tests/fuzz/redo_case.hpp"
#include "tests/fuzz/timeline_case.hpp"
#include "tests/support/btree_workload.hpp"
#include "tests/support/gin_workload.hpp"
#include "tests/support/gist_workload.hpp"
#include "tests/support/hash_workload.hpp"
#include "tests/support/heap_workload.hpp"
#include "tests/support/index_workload.hpp"
#include "tests/support/real_wal.hpp"
#include "tests/support/replay_server.hpp"

namespace zenith::fuzz {
namespace {

// Larger inputs slow the fuzzer down more than they show it.
constexpr size_t case_bytes_max = 6000;
constexpr size_t record_bytes_max = 2000;

std::string file_name(const pg::record& record) {
  auto name =
      pg::resource_manager_name(record.rmgr) + "-" + pg::record_name(record.rmgr, record.info);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '_';
  return name;
}

/// The record without the images that serve checking only.
record_case case_of(const pg::record& record) {
  auto made = record_case::of(record);
  for (auto& block : made.blocks)
    if (block.has_image && (block.image_info & 0x02) == 0) {
      block.has_image = false;
      block.image.clear();
    }
  return made;
}

/// For replay_options::observe: of each type of record and block reference, the smallest case that
/// changes the page, and one of any size.
class case_collector {
 public:
  explicit case_collector(corpus& into) : into_(into) {}

  void operator()(const pg::record& record, const pg::block_reference& reference,
                  const page& before) {
    const auto target = redo_target_of(record.rmgr);
    auto& seen = seen_[fmt::format("{}-{}", file_name(record), reference.id)];
    if (target.empty() || (++seen > 2000 && seen % 64 != 0)) return;
    page after = before;
    if (!redo::apply(record, reference.page_key(), after) || after.data == before.data) return;
    redo_case made;
    made.reference = static_cast<uint8_t>(&reference - record.blocks().data());
    made.record = case_of(record);
    made.before = reference.initialises() ? page{} : before;
    auto encoded = made.write();
    if (encoded.size() > case_bytes_max) return;
    const auto name = fmt::format("{}-{}", file_name(record), reference.id);
    if (random_() % seen == 0) others_[target + "/" + name] = {target, name, encoded};
    into_.add(target, name, std::move(encoded));
  }
  void finish() {
    for (auto& [at, other] : others_) into_.add(other.target, other.name + "-b", other.encoded);
  }

 private:
  struct chosen {
    std::string target, name;
    bytes encoded;
  };
  corpus& into_;
  std::map<std::string, uint64_t> seen_;
  std::map<std::string, chosen> others_;
  std::minstd_rand random_{1};
};

/// Asks ingest which pages a record changes without naming them. Everything exists.
class key_sink final : public redo::change_sink {
 public:
  std::set<key> pages;
  void put_record(const key& k, redo::record_effect) override { pages.insert(k); }
  void put_value(const key&, bytes) override {}
  void put_absent(const key&) override {}
  void put_copy(const key&, const key&) override {}
  void put_relation(const relation_id&, fork_number, std::optional<relation_state>) override {}
  void put_transaction_end(int64_t) override {}
  result<std::optional<bytes>> current(const key& k) override {
    return std::optional<bytes>(bytes(k.kind == key_kind::relation_map ? 512 : 8));
  }
  result<std::optional<relation_state>> current_relation(const relation_id&, fork_number) override {
    return std::optional<relation_state>(relation_state::of_base(100'000));
  }
  result<std::vector<key>> current_keys(const key& first, const key&) override {
    return std::vector<key>{first};
  }
};

void add_unnamed_pages(corpus& into, const pg::record& record) {
  const auto target = redo_target_of(record.rmgr);
  key_sink sink;
  if (target.empty() || !redo::ingest(record, sink)) return;
  for (const auto& block : record.blocks()) sink.pages.erase(block.page_key());
  for (const auto& k : sink.pages) {
    redo_case made;
    made.by_reference = false;
    made.target = k;
    made.record = case_of(record);
    if (k.kind == key_kind::relation_block) {
      // A visibility map's or free space map's page with everything set.
      std::fill(made.before.data.begin() + 24, made.before.data.end(), std::byte{0xFF});
      store(made.before.begin() + 12, std::array<uint16_t, 3>{24, 8192, 8192});
    }
    auto encoded = made.write();
    if (made.before.data[100] != std::byte{0}) {
      // One piece of zeros less: all else of the map is zeros.
      std::fill(made.before.data.begin() + 128, made.before.data.end(), std::byte{0});
      encoded = made.write();
    }
    const auto where = k.kind == key_kind::slru_page ? fmt::format("slru{}", k.fork)
                                                     : std::string(to_string(k.relation_fork()));
    into.add(target, file_name(record) + "-" + where, std::move(encoded));
  }
}

/// Each type's smallest record by itself, and a sequence of each resource manager's.
class record_collector {
 public:
  explicit record_collector(corpus& into) : into_(into) {}

  void add(byte_view raw, const pg::record& record) {
    if (raw.size() > record_bytes_max) return;
    const auto name = file_name(record);
    auto& kept = smallest_[record.rmgr][name];
    if (kept.raw.empty() || raw.size() < kept.raw.size()) kept = {copy_of(raw), case_of(record)};
  }
  void finish() {
    for (const auto& [rmgr, types] : smallest_) {
      timeline_case sequence;
      for (const auto& [name, kept] : types) {
        into_.add("record", name, kept.raw);
        if (sequence.records.size() < timeline_case::records_max)
          sequence.records.push_back(kept.parts);
      }
      into_.add("timeline", pg::resource_manager_name(rmgr), sequence.write());
    }
  }

 private:
  struct kept_record {
    bytes raw;
    record_case parts;
  };
  corpus& into_;
  std::map<pg::resource_manager, std::map<std::string, kept_record>> smallest_;
};

void add_made_slru_records(corpus& into) {
  using rm = pg::resource_manager;
  const auto add = [&](rm rmgr, uint8_t info, const char* name, slru_kind slru,
                       std::initializer_list<uint32_t> main) {
    redo_case made;
    made.by_reference = false;
    made.target = key::slru(slru, *main.begin());
    made.record.rmgr = rmgr;
    made.record.info = info;
    for (const auto value : main) {
      input_writer out;
      out.put(value);
      const auto more = out.take();
      made.record.main_data.insert(made.record.main_data.end(), more.begin(), more.end());
    }
    into.add("redo_slru", name, made.write());
    into.add("timeline", name, timeline_case{{made.record}}.write());
  };
  add(rm::clog, 0x00, "CLOG-made-ZEROPAGE", slru_kind::xact, {3});
  add(rm::clog, 0x10, "CLOG-made-TRUNCATE", slru_kind::xact, {33, 33 * 32768, 5});
  add(rm::commit_ts, 0x00, "CommitTs-made-ZEROPAGE", slru_kind::commit_ts, {3});
  add(rm::commit_ts, 0x10, "CommitTs-made-TRUNCATE", slru_kind::commit_ts, {33, 33 * 819});
  add(rm::multixact, 0x00, "MultiXact-made-ZERO_OFF", slru_kind::multixact_offsets, {3});
  add(rm::multixact, 0x10, "MultiXact-made-ZERO_MEM", slru_kind::multixact_members, {3});
  add(rm::multixact, 0x20, "MultiXact-made-CREATE", slru_kind::multixact_members,
      {1, 1, 2, 740, 0, 741, 1});
  add(rm::multixact, 0x30, "MultiXact-made-TRUNCATE", slru_kind::multixact_offsets,
      {5, 1, 70000, 1, 70000});
}

}  // namespace

std::string redo_target_of(pg::resource_manager rmgr) {
  using rm = pg::resource_manager;
  switch (rmgr) {
    case rm::heap:
    case rm::heap2:
      return "redo_heap";
    case rm::btree:
      return "redo_btree";
    case rm::hash:
      return "redo_hash";
    case rm::gin:
      return "redo_gin";
    case rm::gist:
      return "redo_gist";
    case rm::spgist:
      return "redo_spgist";
    case rm::brin:
      return "redo_brin";
    case rm::xlog:
    case rm::sequence:
    case rm::generic:
    case rm::storage:
      return "redo_other";
    case rm::transaction:
    case rm::clog:
    case rm::multixact:
    case rm::commit_ts:
      return "redo_slru";
    default:
      return {};
  }
}

void add_real_records(corpus& into) {
  using testing::replay_server;
  const std::pair<const char*, std::function<void(replay_server&)>> workloads[] = {
      {"heap", [](auto& s) { testing::run_heap_workload(s.conninfo()); }},
      {"btree", [](auto& s) { testing::run_btree_workload(s.conninfo(), 1); }},
      {"sequence", [](auto& s) { testing::run_sequence_workload(s.conninfo()); }},
      {"generic", [](auto& s) { testing::run_generic_workload(s.conninfo(), 1); }},
      {"hash", [](auto& s) { testing::run_hash_workload(s.conninfo()); }},
      {"gin", [](auto& s) { testing::run_gin_workload(s.conninfo(), 1); }},
      {"gist", [](auto& s) { testing::run_gist_workload(s.conninfo(), 1); }},
      {"brin", [](auto& s) { testing::run_brin_workload(s.conninfo()); }},
      {"spgist", [](auto& s) { testing::run_spgist_workload(s.conninfo()); }}};
  case_collector cases(into);
  record_collector records(into);
  const auto record = std::make_unique<pg::record>();
  for (const auto& [name, run] : workloads) {
    std::printf("running the %s workload\n", name);
    std::fflush(stdout);
    // Some pages come as images.
    replay_server server(std::string_view(name) == "heap" ? "full_page_writes = on\n" : "");
    run(server);
    server.replay(std::ref(cases));
    const auto wal = testing::read_real_wal(server.server().data());
    wal::decoder decoder(wal.identity, wal.first, lsn{});
    if (!decoder.feed(wal.first, wal.from(wal.first))) throw std::runtime_error("WAL with a gap");
    for (auto raw = decoder.next(); raw && *raw; raw = decoder.next()) {
      if (!pg::decode_record((*raw)->bytes, (*raw)->start, (*raw)->end, *record)) continue;
      records.add((*raw)->bytes, *record);
      add_unnamed_pages(into, *record);
    }
  }
  cases.finish();
  records.finish();
  add_made_slru_records(into);
}

}  // namespace zenith::fuzz
