// WAL of pgbench runs from segments into durable layer files, against a stock server's recovery.
#include <fmt/format.h>
#include <sys/resource.h>

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "bench/support/figures.hpp"
#include "bench/support/pgbench_wal.hpp"
#include "bench/support/stock_recovery.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/layers/layer_writes.hpp"
#include "storage/layers/memory_block.hpp"
#include "storage/layers/memory_shares.hpp"

namespace zenith::bench {
namespace {

// What a receiver gets from a walsender at once is 128 KiB at most (walsender.c, MAX_SEND_SIZE).
constexpr size_t chunk_bytes = 128 << 10;
constexpr int rounds = 5;

template <class T>
T value_of(result<T> given) {
  if (!given) throw std::runtime_error(given.error().message);
  return std::move(*given);
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Writes frozen layers on a thread of its own, oldest first.
class layer_writing {
 public:
  layer_writing(const path& directory, const layers::layer_limits& limits)
      : limits_(limits),
        out_{std::make_shared<layers::layer_files>(posix_file_system(), directory / "timelines",
                                                   layers::layer_files::limits{}),
             {},
             std::make_shared<std::atomic<uint64_t>>(1)},
        thread_([this] { run(); }) {}
  ~layer_writing() {
    if (thread_.joinable()) finish();
  }

  /// Waits while two are being written.
  void put(std::shared_ptr<const layers::memory_layer> frozen) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.size() < 2; });
    waiting_.push_back(std::move(frozen));
    changed_.notify_all();
  }
  /// What lies below the next layer, newest first.
  std::vector<layers::layer_reference> below(const pgbench_wal& wal) {
    const std::lock_guard lock(mutex_);
    std::vector<layers::layer_reference> all;
    for (auto it = waiting_.rbegin(); it != waiting_.rend(); ++it) all.push_back({*it, lsn::max()});
    for (auto it = files_.rbegin(); it != files_.rend(); ++it)
      all.push_back({out_.files->find(*it), lsn::max()});
    all.push_back({wal.base, lsn::max()});
    return all;
  }
  /// Until all are written. Gives the bytes of the files.
  uint64_t finish() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
      changed_.notify_all();
    }
    thread_.join();
    if (!failure_.empty()) throw std::runtime_error(failure_);
    uint64_t bytes = 0;
    for (const auto& file : files_) bytes += file.size_bytes;
    return bytes;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return done_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const auto frozen = waiting_.front();
      lock.unlock();
      const auto written = write_frozen_layer(*frozen, out_, limits_);
      lock.lock();
      if (!written) failure_ = written.error().message;
      if (written) files_.insert(files_.end(), written->files.begin(), written->files.end());
      waiting_.pop_front();
      changed_.notify_all();
    }
  }

  const layers::layer_limits limits_;
  const layers::layer_output out_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const layers::memory_layer>> waiting_;  // the first is being written
  std::vector<layers::layer_file_info> files_;
  std::string failure_;
  bool done_ = false;
  std::thread thread_;
};

struct layers_made {
  uint64_t records = 0;
  uint64_t file_bytes = 0;
};

layers_made make_layers(const pgbench_wal& wal, const layers::layer_limits& limits) {
  const testing::temporary_directory directory;
  layer_writing writing(directory.path(), limits);
  auto layer = std::make_shared<layers::memory_layer>(wal.start);
  layers::ingestor ingest(
      layer, writing.below(wal),
      [](const wal::raw_record&, const error& cause) { throw std::runtime_error(cause.message); });
  wal::decoder decode(wal.identity, wal.start, lsn{});
  layers_made made;
  read_in_chunks(wal, chunk_bytes, [&](lsn at, byte_view data) {
    if (auto fed = decode.feed(at, data); !fed) throw std::runtime_error(fed.error().message);
    while (const auto record = value_of(decode.next())) {
      if (auto done = ingest.ingest(*record); !done) throw std::runtime_error(done.error().message);
      ++made.records;
    }
    if (layer->size_bytes() < limits.open_layer_bytes) return;
    const lsn end = layer->published();
    writing.put(layer);
    layer = std::make_shared<layers::memory_layer>(end);
    ingest.continue_in(layer, writing.below(wal));
  });
  if (decode.position() != wal.end) throw std::runtime_error("not all WAL was decoded");
  writing.put(layer);
  made.file_bytes = writing.finish();
  return made;
}

struct cost {
  std::vector<double> elapsed_s;
  std::vector<double> cpu_s;
};

void print(const char* name, const cost& one, const cost& stock, const pgbench_wal& wal,
           uint64_t records) {
  const spread elapsed = spread_of(one.elapsed_s);
  const spread cpu = spread_of(one.cpu_s);
  fmt::print("{:<36} {:>24} {:>24} {:>6.0f} {:>11.0f} {:>7.2f} {:>7.2f}\n", name,
             to_text(elapsed, 2), to_text(cpu, 2),
             static_cast<double>(wal.size_bytes()) / 1e6 / elapsed.median,
             static_cast<double>(records) / 1e3 / elapsed.median,
             spread_of(stock.elapsed_s).median / elapsed.median,
             cpu.median / spread_of(stock.cpu_s).median);
}

void compare(const char* what, pgbench_run how) {
  const testing::temporary_directory directory;
  how.crash = true;
  const pgbench_wal wal = make_pgbench_wal(directory, how);
  const layers::layer_limits limits;
  // As a node does with the memory_limit that it has where nothing is set, while it has an open
  // layer and two that are being written.
  const auto shares = layers::share_memory(uint64_t{1} << 30, limits.open_layer_bytes);
  layers::memory_block::keep_at_most(shares.kept_bytes + shares.layers_bytes -
                                     3 * shares.open_layer_bytes);
  cost stock;
  cost ours;
  layers_made made;
  for (int round = 0; round < rounds; ++round) {
    const recovery_cost recovered = recover(wal);
    stock.elapsed_s.push_back(recovered.elapsed_s);
    stock.cpu_s.push_back(recovered.cpu_s);
    const stopwatch watch;
    const double cpu_before = cpu_seconds();
    made = make_layers(wal, limits);
    ours.elapsed_s.push_back(watch.seconds());
    ours.cpu_s.push_back(cpu_seconds() - cpu_before);
  }
  fmt::print(
      "{}: {:.0f} MB of WAL, {} records, {:.0f} MB of layer files ({:.2f} of the WAL), {} "
      "rounds in turn\n",
      what, static_cast<double>(wal.size_bytes()) / 1e6, made.records,
      static_cast<double>(made.file_bytes) / 1e6,
      static_cast<double>(made.file_bytes) / static_cast<double>(wal.size_bytes()), rounds);
  fmt::print("{:<36} {:>24} {:>24} {:>6} {:>11} {:>7} {:>7}\n", "", "s, median (min to max)",
             "CPU s", "MB/s", "records/ms", "speed", "CPU");
  print("a stock server's crash recovery", stock, stock, wal, made.records);
  print("ingested, layers written and synced", ours, stock, wal, made.records);
}

int run_all(int argc, char** argv) {
  pgbench_run how;
  // Several layers, so that one is written while the next one fills.
  how.transactions_each = 100'000;
  if (argc > 1) how.transactions_each = std::stoi(argv[1]);
  fmt::print("{}\n", conditions());
  how.configuration = "full_page_writes = off\n";
  compare("without full pages", how);
  how.configuration = "";
  compare("with full pages", how);
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_layers: {}\n", failure.what());
    return 1;
  }
}
