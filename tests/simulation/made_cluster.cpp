// Records that ingest understands: pages, commits, forks cut and copied.
#include "tests/simulation/made_cluster.hpp"

#include <fmt/format.h>

#include <set>
#include <stdexcept>

#include "storage/postgres/control_file.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/fuzz/wal_writer.hpp"
#include "tests/simulation/chance.hpp"
#include "tests/simulation/history.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::simulation {
namespace {

using testing::record_builder;

constexpr uint32_t relations = 3;
constexpr uint32_t blocks = 6;
constexpr size_t records_of_root = 700;
constexpr size_t records_of_branch = 300;

template <class... Parts>
bytes packed(Parts... parts) {
  bytes all;
  const auto add = [&all](auto part) {
    all.resize(all.size() + sizeof part);
    store(all.data() + all.size() - sizeof part, part);
  };
  (add(parts), ...);
  return all;
}

/// Makes records one after the other; a page has content before letters are put on it.
class record_maker {
 public:
  explicit record_maker(uint64_t seed) : by_(seed, 0) {}

  struct made {
    pg::resource_manager rmgr;
    uint8_t info;
    bytes whole;
  };
  made next(uint64_t number) {
    const uint64_t n = by_.below(100);
    if (n < 12) {
      // xl_xact_commit: the time.
      return finish(pg::resource_manager::transaction, 0,
                    [&](record_builder& r) { r.main_data(packed(int64_t(number) * 1'000'000)); });
    }
    const relation_id r = relation(5);
    if (n == 12) {
      // xl_smgr_truncate, all forks.
      const auto kept = static_cast<uint32_t>(by_.below(blocks));
      for (uint32_t b = kept; b < blocks; ++b) written_.erase({r.relfilenode, b});
      return finish(pg::resource_manager::storage, 0x20, [&](record_builder& out) {
        out.main_data(packed(kept, r.tablespace, r.database, r.relfilenode, uint32_t{7}));
      });
    }
    if (n == 13) {
      // xl_dbase_create_file_copy_rec: database, tablespace, source's database and tablespace.
      return finish(pg::resource_manager::database, 0, [&](record_builder& out) {
        out.main_data(packed(uint32_t{100} + static_cast<uint32_t>(by_.below(3)), r.tablespace,
                             r.database, r.tablespace));
      });
    }
    return page(r);
  }

 private:
  relation_id relation(uint32_t database) {
    return {1663, database, 16384 + static_cast<uint32_t>(by_.below(relations))};
  }
  template <class Fill>
  made finish(pg::resource_manager rmgr, uint8_t info, const Fill& fill) {
    record_builder out(rmgr, info);
    fill(out);
    return {rmgr, info, out.finish()};
  }
  made page(const relation_id& r) {
    const auto block = static_cast<uint32_t>(by_.below(blocks));
    const char letter = by_.letter();
    if (!written_.insert({r.relfilenode, block}).second && !by_.one_in(6)) {
      bytes delta = packed(uint16_t{100}, uint16_t{1}, letter);
      store(delta.data(), static_cast<uint16_t>(by_.one_in(2) ? 100 : 8000));
      return finish(pg::resource_manager::generic, 0, [&](record_builder& out) {
        out.add({.relation = r, .number = block, .data = delta});
      });
    }
    const page_bytes content = page_of(letter, fork_number::main);
    record_builder::image image{bytes(content.data.begin(), content.data.end()), 0, 0,
                                testing::image_apply};
    return finish(pg::resource_manager::xlog, 0xB0, [&](record_builder& out) {
      out.add({.relation = r, .number = block, .full_page = image});
    });
  }

  using page_bytes = zenith::page;
  chance by_;
  std::set<std::pair<uint32_t, uint32_t>> written_;
};

}  // namespace

made_cluster::made_cluster() : base_(std::make_shared<testing::map_layer>()) {
  const lsn segment{2 * segment_size_bytes};
  // So that the segment ends in the middle of the WAL.
  const lsn first = segment - 160 * page_size_bytes + pg::short_page_header_size_bytes;
  add_line(records_of_root, first, lsn{}, pg_timeline{1});
  base_->at = root().metadata.start;
  base_->values = {{key::control(), pg::encode_control_data({})},
                   {key::next_full_xid(), bytes(8)},
                   {key::next_oid(), bytes(4)},
                   {key::next_multixact(), bytes(8)}};
  ingest(0);
  const size_t left = root().ends.size() / 2;
  add_line(records_of_branch, root().ends[left], root().ends[left - 1], pg_timeline{2});
  ingest(1);
  std::set<key> keys{key::control(), key::next_full_xid()};
  for (uint32_t database : {5, 100, 101, 102})
    for (uint32_t r = 0; r < relations; ++r) {
      const relation_id relation{1663, database, 16384 + r};
      keys.insert(key::size(relation, fork_number::main));
      for (uint32_t b = 0; b < blocks; ++b) keys.insert(key::block(relation, fork_number::main, b));
    }
  keys.insert(key::slru(slru_kind::xact, 0));
  keys_.assign(keys.begin(), keys.end());
}

void made_cluster::add_line(size_t records, lsn start, lsn previous, pg_timeline number) {
  line made;
  const bool is_root = lines_.empty();
  const wal::wal_identity identity{system_identifier{77}, segment_size_bytes};
  made.metadata.id.value.fill(is_root ? 0xAB : 0xCD);
  made.metadata.system = identity.system;
  made.metadata.segment_size_bytes = segment_size_bytes;
  made.metadata.pg_timelines = {{pg_timeline{1}, lsn{1}}};
  if (!is_root) made.metadata.pg_timelines.push_back({number, start});
  fuzz::wal_writer out = is_root ? fuzz::wal_writer(identity, start)
                                 : fuzz::wal_writer(identity, start, previous, number);
  record_maker maker(is_root ? 1 : 2);
  if (is_root) out.append(0, 0x20, bytes(10));  // what the base ends with
  for (size_t i = 0; i < records; ++i) {
    const auto record = maker.next(i + (is_root ? 0 : records_of_root));
    out.append(static_cast<uint8_t>(record.rmgr), record.info,
               byte_view(record.whole).subspan(pg::record_header_size_bytes),
               static_cast<uint32_t>(1000 + i));
  }
  made.begin = out.begin();
  made.data = out.data();
  made.data.resize((made.data.size() + 7) & ~size_t{7});
  wal::decoder decode(identity, start, {}, {});
  const auto fed = decode.feed(made.begin, made.data);
  if (!fed) throw std::runtime_error(fed.error().message);
  std::vector<lsn> starts;
  for (auto record = decode.next(); record && *record; record = decode.next()) {
    starts.push_back((*record)->start);
    made.ends.push_back((*record)->end);
  }
  made.metadata.start = is_root ? made.ends.front() : start;
  made.metadata.start_previous_record = is_root ? starts.front() : previous;
  if (!is_root) made.metadata.ancestor = {root().metadata.id, start};
  if (made.ends.size() != records + (is_root ? 1 : 0))
    throw std::runtime_error("the WAL is not whole");
  lines_.push_back(std::move(made));
}

void made_cluster::ingest(size_t i) {
  const line& of = lines_[i];
  const lsn start = of.metadata.start;
  memory_.push_back(std::make_shared<layers::memory_layer>(start));
  std::vector<layers::layer_reference> below{{base_, base_->at}};
  if (i == 1) below.insert(below.begin(), {memory_[0], start});
  layers::ingestor into(memory_.back(), below, nullptr);
  wal::decoder decode({of.metadata.system, segment_size_bytes}, start,
                      of.metadata.start_previous_record, {});
  static_cast<void>(decode.feed(start, of.piece(start, of.end())));
  for (auto record = decode.next(); record && *record; record = decode.next())
    if (const auto done = into.ingest(**record); !done || into.failures() != 0)
      throw std::runtime_error("a made record is not understood");
  if (memory_.back()->published() != of.end()) throw std::runtime_error("the WAL does not follow");
}

bytes made_cluster::first_segment() const {
  const lsn segment = pg::segment_start(root().begin, segment_size_bytes);
  bytes file(root().begin - segment);
  const byte_view own = root().piece(root().begin, root().metadata.start);
  file.insert(file.end(), own.begin(), own.end());
  file.resize(segment_size_bytes);
  return file;
}

layers::view made_cluster::view(size_t i) const {
  std::vector<layers::layer_reference> all{{base_, base_->at}};
  all.insert(all.begin(), {memory_[0], i == 0 ? root().end() : branch().metadata.start});
  if (i == 1) all.insert(all.begin(), {memory_[1], branch().end()});
  return {all, root().metadata.start, lines_[i].end()};
}

const made_cluster::state& made_cluster::state_at(size_t i, lsn at) const {
  const auto known = states_.find({i, at});
  if (known != states_.end()) return known->second;
  const layers::view expected = view(i);
  const key last = key::size({~0u, ~0u, ~0u}, fork_number::init);
  state made{{}, expected.keys(key::control(), last, at)};
  for (const key& k : keys_) made.values.push_back(expected.value(k, at));
  return states_.emplace(std::pair(i, at), std::move(made)).first->second;
}

std::string made_cluster::difference(size_t i, const layers::view& found, lsn at) const {
  const state& expected = state_at(i, at);
  for (size_t n = 0; n < keys_.size(); ++n) {
    const key& k = keys_[n];
    const auto a = found.value(k, at);
    const auto& b = expected.values[n];
    const auto is_missing = [](const error& e) {
      return e.code == errc::not_found || e.code == errc::out_of_range;
    };
    if (a && b && *a == *b) continue;
    if (!a && !b && is_missing(a.error()) && is_missing(b.error())) continue;
    return fmt::format("{} as of {} differs: {}", to_string(k), to_string(at),
                       a ? "another value" : a.error().message);
  }
  const key last = key::size({~0u, ~0u, ~0u}, fork_number::init);
  const auto listed = found.keys(key::control(), last, at);
  if (!listed) return listed.error().message;
  return *listed == *expected.listed ? "" : "other keys as of " + to_string(at);
}

}  // namespace zenith::simulation
