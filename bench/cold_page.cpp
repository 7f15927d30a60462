// Cold pages from layer files that the machine's page cache has, against pread of a file of 1 GiB.
//
// Such a file is what the pages are once unpacked: the base image's packs a database of hundreds of
// MB into tens, more of which the processor's caches hold. Both are shown; ratios are to the 1 GiB.
//
// Every page of a table is read once in random order by a view whose pages no cache has, and whose
// files are not open yet: with empty caches, which take fresh memory from the system, and with a
// page cache that is full of other pages, as a node's is that reads more than it can hold. The same
// from the base image alone, and after a pgbench run, from what flushing and merging its WAL has
// left; a table of pgbench's, and one of random text that packs badly.
#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "bench/support/pgbench_wal.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/layers/layer_store.hpp"
#include "storage/layers/view.hpp"

namespace zenith::bench {
namespace {

constexpr size_t chunk_bytes = 1 << 20;
constexpr size_t cache_bytes = size_t{1} << 30;
constexpr size_t full_cache_bytes = size_t{128} << 20;
constexpr uint64_t large_file_bytes = uint64_t{1} << 30;
constexpr size_t pread_count = 50'000;
int rounds = 7;
const timeline_id id{{1}};

template <class T>
T value_of(result<T> given) {
  if (!given) throw std::runtime_error(given.error().message);
  return std::move(*given);
}
void check(const result<void>& done) {
  if (!done) throw std::runtime_error(done.error().message);
}

double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

std::unique_ptr<layers::layer_store> open_store(const pgbench_wal& wal, const path& directory,
                                                size_t block_cache_bytes = cache_bytes) {
  layers::layer_store::parameters how;
  how.files = &posix_file_system();
  how.directory = directory / to_string(id);
  how.id = id;
  how.start = {.at = wal.start, .last_record = wal.start - 8};
  how.readable_from = wal.start;
  how.registry = std::make_shared<layers::layer_files>(
      posix_file_system(), directory,
      layers::layer_files::limits{.block_cache_bytes = block_cache_bytes});
  return value_of(layers::layer_store::open(std::move(how)));
}

void write_and_merge(layers::layer_store& store, const layers::wal_place& end) {
  store.freeze(end);
  while (const auto job = store.next_write()) check(store.install(*job, value_of(job->run())));
  while (const auto job = value_of(store.next_merge({}, false)))
    check(store.install(*job, value_of(job->run([] { return false; }))));
}

/// All of the WAL into files, as a timeline does it.
void ingest_all(const pgbench_wal& wal, const path& directory) {
  const auto store = open_store(wal, directory);
  layers::ingestor ingest(
      store->open_layer(), store->below_open(),
      [](const wal::raw_record&, const error& why) { throw std::runtime_error(why.message); });
  wal::decoder decode(wal.identity, wal.start, lsn{});
  lsn last_record;
  read_in_chunks(wal, chunk_bytes, [&](lsn at, byte_view data) {
    check(decode.feed(at, data));
    while (const auto record = value_of(decode.next())) {
      check(ingest.ingest(*record));
      last_record = record->start;
    }
    if (!store->is_full()) return;
    write_and_merge(*store, {decode.position(), last_record});
    ingest.continue_in(store->open_layer(), store->below_open());
  });
  write_and_merge(*store, {decode.position(), last_record});
  fmt::print("{} slices, a read looks at {} of them at most, {:.0f} MB\n", store->map().slices(),
             store->map().depth(), static_cast<double>(store->map().size_bytes()) / 1e6);
}

struct table {
  std::string name;
  relation_id relation;
  std::vector<block_number> blocks;
};

/// The largest main forks: of pgbench_accounts, and of the table of text.
std::vector<table> find_tables(const layers::view& from, lsn at) {
  std::vector<table> found;
  const key last = key::size({~0u, ~0u, ~0u}, fork_number::init);
  for (const key& k : value_of(from.keys({key_kind::relation_size}, last, at))) {
    if (k.relation_fork() != fork_number::main) continue;
    const auto state = value_of(from.relation(k.relation(), fork_number::main, at));
    table one{"", k.relation(), std::vector<block_number>(state->blocks())};
    std::iota(one.blocks.begin(), one.blocks.end(), block_number{0});
    std::shuffle(one.blocks.begin(), one.blocks.end(), std::minstd_rand(1));
    found.push_back(std::move(one));
  }
  std::ranges::sort(found, [](const table& a, const table& b) {
    return a.blocks.size() != b.blocks.size() ? a.blocks.size() > b.blocks.size()
                                              : a.relation < b.relation;
  });
  found.resize(2);
  found[0].name = "pgbench_accounts";
  found[1].name = "random text";
  return found;
}

/// Thousands of pages in a second of CPU time.
using speeds = std::vector<double>;

void read_cold(const pgbench_wal& wal, const path& directory, lsn at, const table& what,
               const std::shared_ptr<layers::page_cache>& cache, speeds& into) {
  const auto store = open_store(wal, directory);
  const layers::view from(store->layers(at), wal.start, at, cache);
  const double before = cpu_seconds();
  for (const block_number block : what.blocks)
    value_of(from.shared_page(what.relation, fork_number::main, block, at));
  into.push_back(static_cast<double>(what.blocks.size()) / (cpu_seconds() - before) / 1e3);
}

/// Bytes that do not repeat, written so that the page cache has them.
void write_large_file(const path& name) {
  const int file = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) throw std::runtime_error("cannot write " + name.string());
  std::vector<uint64_t> part(chunk_bytes / sizeof(uint64_t));
  std::mt19937_64 random(1);
  for (uint64_t written = 0; written < large_file_bytes; written += chunk_bytes) {
    std::ranges::generate(part, random);
    if (write(file, part.data(), chunk_bytes) != ssize_t{chunk_bytes})
      throw std::runtime_error("cannot write " + name.string());
  }
  close(file);
}

void read_file(const path& name, size_t count, speeds& into) {
  const int file = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error("cannot open " + name.string());
  const uint64_t pages = std::filesystem::file_size(name) / page_size_bytes;
  std::minstd_rand random(1);
  page data;
  const double before = cpu_seconds();
  for (size_t i = 0; i < count; ++i)
    if (pread(file, data.begin(), page_size_bytes,
              static_cast<off_t>(random() % pages * page_size_bytes)) != ssize_t{page_size_bytes})
      throw std::runtime_error("cannot read " + name.string());
  into.push_back(static_cast<double>(count) / (cpu_seconds() - before) / 1e3);
  close(file);
}

int run_all(int argc, char** argv) {
  pgbench_run how;
  how.transactions_each = argc > 1 ? std::stoi(argv[1]) : 40'000;
  if (argc > 2) rounds = std::stoi(argv[2]);
  how.configuration = "max_wal_size = 400MB\n";
  how.statement =
      "create table words as select i, md5(i::text) || md5((-i)::text) as a from "
      "generate_series(1, 1000000) i; select 1";
  fmt::print("{}\n", conditions());
  const testing::temporary_directory directory;
  const pgbench_wal wal = make_pgbench_wal(directory, how);
  const path base = directory / "base_only";
  const path merged = directory / "merged";
  for (const path& one : {base, merged}) {
    std::filesystem::create_directories(one / to_string(id) / "layers");
    std::filesystem::copy_file(wal.base_file, one / to_string(id) / "layers" / "base.image");
  }
  ingest_all(wal, merged);
  const auto tables = find_tables(
      layers::view(open_store(wal, base)->layers(wal.start), wal.start, wal.start), wal.start);
  struct way {
    std::string name;
    const path& from;
    lsn at;
    const table& what;
    speeds with_empty = {};
    speeds with_full = {};
  };
  const lsn end = open_store(wal, merged)->disk_consistent().at;
  std::vector<way> ways;
  for (const table& one : tables) {
    ways.push_back({one.name + ", base image", base, wal.start, one});
    ways.push_back({one.name + ", after pgbench and merges", merged, end, one});
  }
  const path large_file = directory / "large_file";
  write_large_file(large_file);
  speeds of_base_file;
  speeds of_large_file;
  const auto full = std::make_shared<layers::page_cache>(full_cache_bytes);
  speeds filling;
  read_cold(wal, base, wal.start, tables[0], full, filling);
  for (int round = 0; round < rounds; ++round) {
    read_file(wal.base_file, pread_count, of_base_file);
    read_file(large_file, pread_count, of_large_file);
    for (way& one : ways) {
      const auto empty = std::make_shared<layers::page_cache>(cache_bytes);
      read_cold(wal, one.from, one.at, one.what, empty, one.with_empty);
      read_cold(wal, one.from, one.at, one.what, full, one.with_full);
    }
  }
  fmt::print("{:<59} {:>6}  {:>26} {:>8}\n", "", "pages", "thousand pages / CPU s", "/ pread");
  const auto print = [&](const std::string& name, size_t pages, const speeds& found) {
    fmt::print("{:<59} {:>6}  {:>26} {:>8.2f}\n", name, pages, to_text(spread_of(found), 0),
               spread_of(found).median / spread_of(of_large_file).median);
  };
  print("pread of 8 KiB, at random in a file of 1 GiB", pread_count, of_large_file);
  print("pread of 8 KiB, at random in the base image's file", pread_count, of_base_file);
  for (const way& one : ways) {
    print(one.name + ", empty caches", one.what.blocks.size(), one.with_empty);
    print(one.name + ", full page cache", one.what.blocks.size(), one.with_full);
  }
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_cold_page: {}\n", failure.what());
    return 1;
  }
}
