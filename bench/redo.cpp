// Redo of one page from a real server's records, against a copy and a read of 8 KiB.
//
// The records are decoded beforehand and the images are not compressed. Before anything is
// measured, each page that redo gives is compared with the server's own file.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <random>
#include <stdexcept>

#include "bench/support/allocations.hpp"
#include "bench/support/figures.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/layers/view.hpp"
#include "storage/postgres/mask.hpp"
#include "storage/redo/redo.hpp"
#include "tests/support/base_pages.hpp"
#include "tests/support/real_wal.hpp"

namespace zenith::bench {
namespace {

using testing::postgres_server;
using testing::temporary_directory;

/// A page, and the records that lead to it: an image, then so many changes.
struct page_history {
  std::string name;
  key k;
  pg::resource_manager rmgr{};
  std::vector<pg::record> records;
  page expected;
};

/// What one server wrote, and a layer with all of it.
struct material {
  testing::real_wal wal;
  std::deque<bytes> kept;  // what the records below are views of
  std::vector<page_history> histories;
  std::shared_ptr<layers::memory_layer> layer;
};

struct wanted_page {
  const char* name;
  const char* relation;
  block_number block;  ///< or busiest_block
  size_t changes;      ///< behind the image: so many, or at least so many of a busiest block
  pg::resource_manager rmgr;
  std::vector<std::string> statements;
};

/// Of a relation's blocks but the first, which is often a metapage, the one with most changes.
constexpr block_number busiest_block = UINT32_MAX;

// Each statement writes one record a row to the page, the first of them with an image. 229 rows of
// one int4 do not fit a page, so some are NULL.
const std::vector<wanted_page> wanted{
    {"heap page, 2 inserts",
     "short_heap",
     0,
     2,
     pg::resource_manager::heap,
     {"create table short_heap(a int)", "insert into short_heap select generate_series(1, 200)",
      "checkpoint", "insert into short_heap select generate_series(1, 3)"}},
    {"heap page, 227 inserts",
     "long_heap",
     0,
     227,
     pg::resource_manager::heap,
     {"create table long_heap(a int)", "insert into long_heap values (0)", "checkpoint",
      "insert into long_heap select case when i % 9 > 0 then i end from generate_series(1, 228) "
      "i"}},
    {"btree page, 200 inserts",
     "leaf",
     1,
     200,
     pg::resource_manager::btree,
     {"create table indexed(a int)", "create unique index leaf on indexed(a)",
      "insert into indexed select 5 * i from generate_series(1, 100) i", "checkpoint",
      "insert into indexed select 5 * (i * 7919 % 65521) + 1 from generate_series(1, 201) i"}},
    {"hash page",
     "bucket",
     busiest_block,
     100,
     pg::resource_manager::hash,
     {"create table hashed(a int)", "create index bucket on hashed using hash (a)",
      "insert into hashed select generate_series(1, 50)", "checkpoint",
      "insert into hashed select generate_series(51, 1400)"}},
    {"gin posting tree's leaf",
     "postings",
     busiest_block,
     100,
     pg::resource_manager::gin,
     {"create table listed(a int[])",
      "create index postings on listed using gin (a) with (fastupdate = off)",
      "insert into listed select '{1}' from generate_series(1, 30000)", "checkpoint",
      "insert into listed select '{1}' from generate_series(1, 201)"}},
    {"gist page",
     "boxes",
     busiest_block,
     50,
     pg::resource_manager::gist,
     {"create table placed(a point)", "create index boxes on placed using gist (a)",
      "insert into placed select point(i * 7919 % 1009, i * 104729 % 1013) from "
      "generate_series(1, 300) i",
      "checkpoint",
      "insert into placed select point(i * 7919 % 1009, i * 104729 % 1013) from "
      "generate_series(301, 600) i"}},
    {"spgist page",
     "quads",
     busiest_block,
     50,
     pg::resource_manager::spgist,
     {"create table spread(a point)", "create index quads on spread using spgist (a)",
      "insert into spread select point(i * 7919 % 1009, i * 104729 % 1013) from "
      "generate_series(1, 300) i",
      "checkpoint",
      "insert into spread select point(i * 7919 % 1009, i * 104729 % 1013) from "
      "generate_series(301, 600) i"}},
    {"brin page",
     "ranges",
     busiest_block,
     100,
     pg::resource_manager::brin,
     {"create table ranged(a int)", "insert into ranged values (0)",
      "create index ranges on ranged using brin (a)", "checkpoint",
      "insert into ranged select generate_series(1, 201)"}}};

relation_id relation_of(postgres_server& server, const std::string& name) {
  const auto row = server.rows("select oid, pg_relation_filenode('" + name +
                               "') from pg_database where datname = 'postgres'");
  return {1663, static_cast<uint32_t>(std::stoul(row.at(0).at(0))),
          static_cast<uint32_t>(std::stoul(row.at(0).at(1)))};
}

bool is_equal(page found, page expected, const page_history& of) {
  pg::mask_page(of.rmgr, of.k.d, found);
  pg::mask_page(of.rmgr, of.k.d, expected);
  return found.data == expected.data;
}

void redo_page(const page_history& history, page& into) {
  for (const pg::record& record : history.records)
    if (auto done = redo::apply(record, history.k, into); !done)
      throw std::runtime_error(done.error().message);
}

/// The records that change a page that may be measured: from the page's last image on.
using candidates = std::map<key, std::vector<pg::record>>;

void collect(const wal::raw_record& raw, material& made, candidates& into) {
  pg::record record;
  // What the decoder gives is valid until its next record only.
  const bytes& kept = made.kept.emplace_back(raw.bytes.begin(), raw.bytes.end());
  if (!pg::decode_record(kept, raw.start, raw.end, record))
    throw std::runtime_error("cannot decode the record at " + to_string(raw.start));
  bool is_wanted = false;
  for (const auto& block : record.blocks()) {
    const key k = block.page_key();
    if (std::ranges::none_of(made.histories, [&](const page_history& history) {
          return k == history.k ||
                 (history.k.d == busiest_block && k.d != 0 && k.relation() == history.k.relation());
        }))
      continue;
    auto& records = into[k];
    if (block.has_image && block.image.apply) records.clear();
    records.push_back(record);
    is_wanted = true;
  }
  if (!is_wanted) made.kept.pop_back();
}

/// Gives each page the records that lead to it, and compares what they make with the server's file.
void choose(const candidates& from, const std::filesystem::path& data, material& made) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    auto& history = made.histories[i];
    const bool is_busiest = history.k.d == busiest_block;
    for (const auto& [k, records] : from) {
      if (k != history.k && !(is_busiest && k.relation() == history.k.relation())) continue;
      if (records.size() <= history.records.size()) continue;
      history.k = k;
      history.records = records;
    }
    const size_t changes = history.records.empty() ? 0 : history.records.size() - 1;
    if (is_busiest ? changes < wanted[i].changes : changes != wanted[i].changes)
      throw std::runtime_error(fmt::format("{}: {} records lie behind the image, expected {}",
                                           history.name, changes, wanted[i].changes));
    if (is_busiest) history.name += fmt::format(", {} records", changes);
    history.expected = testing::base_pages(data)
                           .read(history.k.relation(), history.k.relation_fork(), history.k.d)
                           .value();
    page found;
    redo_page(history, found);
    if (!is_equal(found, history.expected, history))
      throw std::runtime_error(history.name + ": not the server's page");
  }
}

material make_material() {
  const temporary_directory directory;
  const postgres_server::options how{
      {}, "autovacuum = off\nwal_compression = off\nwal_keep_size = 1GB\n"};
  postgres_server server(directory, how);
  server.start();
  material made;
  for (const auto& one : wanted) {
    for (const auto& statement : one.statements) server.execute(statement);
    page_history history;
    history.name = one.name;
    history.k = key::block(relation_of(server, one.relation), fork_number::main, one.block);
    history.rmgr = one.rmgr;
    made.histories.push_back(std::move(history));
  }
  server.stop();
  made.wal = testing::read_real_wal(server.data());

  // Nothing lies below the layer: records that ask for the catalogs as initdb left them fail, those
  // of the tables made above do not.
  made.layer = std::make_shared<layers::memory_layer>(made.wal.first);
  layers::ingestor ingest(made.layer, {}, nullptr);
  wal::decoder decode(made.wal.identity, made.wal.first, lsn{});
  if (!decode.feed(made.wal.first, made.wal.from(made.wal.first)))
    throw std::runtime_error("WAL with a gap");
  candidates from;
  for (auto raw = decode.next(); raw && *raw; raw = decode.next()) {
    if (auto done = ingest.ingest(**raw); !done) throw std::runtime_error(done.error().message);
    collect(**raw, made, from);
  }
  choose(from, server.data(), made);
  return made;
}

/// Times a function that makes one page from `records` records, and counts its allocations.
template <class Work>
void measure(benchmark::State& state, size_t records, const Work& work) {
  work();
  const uint64_t before = allocations_so_far();
  for (auto _ : state) {
    work();
    benchmark::ClobberMemory();
  }
  const auto taken = static_cast<double>(allocations_so_far() - before);
  state.counters["allocs/record"] =
      taken / static_cast<double>(state.iterations()) / static_cast<double>(records);
}

void add_copy(const material& made) {
  benchmark::RegisterBenchmark("memcpy of 8 KiB", [&made](benchmark::State& state) {
    page into;
    measure(state, 1, [&] { std::memcpy(&into, &made.histories[0].expected, sizeof into); });
  });
}

/// Random blocks of a file that is in the page cache.
void add_pread(const temporary_directory& directory) {
  const auto name = directory / "pages";
  constexpr block_number blocks = 32768;
  {
    std::ofstream out(name, std::ios::binary);
    const std::string block(page_size_bytes, 'x');
    for (block_number i = 0; i < blocks; ++i) out << block;
  }
  benchmark::RegisterBenchmark("pread of 8 KiB", [name](benchmark::State& state) {
    const int file = open(name.c_str(), O_RDONLY);
    if (file < 0) throw std::runtime_error("cannot open " + name.string());
    std::minstd_rand random(1);
    page into;
    measure(state, 1, [&] {
      const auto at = static_cast<off_t>(random() % blocks * page_size_bytes);
      if (pread(file, into.begin(), page_size_bytes, at) != ssize_t{page_size_bytes}) std::abort();
    });
    close(file);
  });
}

void add_history(const material& made, const page_history& history) {
  const size_t records = history.records.size();
  benchmark::RegisterBenchmark((history.name + ": redo").c_str(),
                               [&history, records](benchmark::State& state) {
                                 page into;
                                 measure(state, records, [&] { redo_page(history, into); });
                               });
  const auto read = [&made, &history, records](benchmark::State& state,
                                               std::shared_ptr<layers::page_cache> cache) {
    const layers::view v({{made.layer, made.wal.end}}, made.wal.first, made.wal.end,
                         std::move(cache));
    page into;
    measure(state, records, [&] {
      auto done = v.read_page(history.k.relation(), history.k.relation_fork(), history.k.d,
                              made.wal.end, into);
      if (!done) throw std::runtime_error(done.error().message);
    });
    if (!is_equal(into, history.expected, history)) state.SkipWithError("not the server's page");
  };
  benchmark::RegisterBenchmark((history.name + ": read_page").c_str(),
                               [read](benchmark::State& state) { read(state, nullptr); });
  benchmark::RegisterBenchmark((history.name + ": read_page, cached").c_str(),
                               [read](benchmark::State& state) {
                                 read(state, std::make_shared<layers::page_cache>(1 << 20));
                               });
}

/// Each median as a ratio, in the order of the benchmarks' registration, however they were run.
class ratio_reporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) throw std::runtime_error(run.run_name.str() + run.error_message);
      if (run.run_type == Run::RT_Aggregate) continue;
      row& one = rows_[run.family_index];
      one.name = run.run_name.function_name;
      one.samples_ns.push_back(run.GetAdjustedCPUTime());
      one.allocations = run.counters.at("allocs/record");
    }
  }
  /// The first two rows are what the others are compared with.
  void print() const {
    const auto median_of = [this](int64_t family) {
      return rows_.contains(family) ? spread_of(rows_.at(family).samples_ns).median : 0;
    };
    fmt::print("{:<42} {:>30} {:>9} {:>9} {:>14}\n", "CPU time, one core",
               "us, median (min to max)", "/ memcpy", "/ pread", "allocs/record");
    for (const auto& [family, one] : rows_) {
      const spread s = spread_of(one.samples_ns);
      fmt::print("{:<42} {:>30} {:>9.1f} {:>9.2f} {:>14.3f}\n", one.name,
                 to_text({s.min / 1e3, s.median / 1e3, s.max / 1e3}, 2), s.median / median_of(0),
                 s.median / median_of(1), one.allocations);
    }
  }

 private:
  struct row {
    std::string name;
    std::vector<double> samples_ns;
    double allocations = 0;
  };
  std::map<int64_t, row> rows_;
};

int run_all(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const temporary_directory directory;
  const material made = make_material();
  add_copy(made);
  add_pread(directory);
  for (const auto& history : made.histories) add_history(made, history);
  fmt::print("{}\n", conditions());
  ratio_reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.print();
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_redo: {}\n", failure.what());
    return 1;
  }
}
