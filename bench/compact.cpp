// Layers of a pgbench run's WAL, written and merged as a timeline does it: speed, sizes, how often
// a byte is written.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <set>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "bench/support/pgbench_wal.hpp"
#include "storage/layers/ingestor.hpp"
#include "storage/layers/layer_store.hpp"

namespace zenith::bench {
namespace {

constexpr size_t chunk_bytes = 1 << 20;

template <class T>
T value_of(result<T> given) {
  if (!given) throw std::runtime_error(given.error().message);
  return std::move(*given);
}
void check(const result<void>& done) {
  if (!done) throw std::runtime_error(done.error().message);
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// One kind of work, all of it together.
struct work {
  size_t jobs = 0;
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
  double elapsed_s = 0;
  double cpu_s = 0;

  template <class Run>
  layers::written_layers measure(const Run& run) {
    const stopwatch watch;
    const double before = cpu_seconds();
    layers::written_layers written = value_of(run());
    cpu_s += cpu_seconds() - before;
    elapsed_s += watch.seconds();
    ++jobs;
    read_bytes += written.bytes_read;
    written_bytes += written.bytes_written;
    return written;
  }
};

const timeline_id id{{1}};

double mb(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

/// A timeline without its actor: one thread does everything in turn.
class timeline {
 public:
  timeline(const pgbench_wal& wal, const path& directory, uint64_t window_bytes)
      : wal_(wal), folder_(directory / to_string(id)), window_bytes_(window_bytes) {
    std::filesystem::create_directories(folder_ / "layers");
    std::filesystem::copy_file(wal.base_file, folder_ / "layers" / "base.image");
    layers::layer_store::parameters how;
    how.files = &posix_file_system();
    how.directory = folder_;
    how.id = id;
    how.start = {.at = wal.start, .last_record = wal.start - 8};
    how.readable_from = wal.start;
    how.registry = std::make_shared<layers::layer_files>(posix_file_system(), directory,
                                                         layers::layer_files::limits{});
    store_ = value_of(layers::layer_store::open(std::move(how)));
  }

  void ingest_all() {
    layers::ingestor ingest(
        store_->open_layer(), store_->below_open(),
        [](const wal::raw_record&, const error& why) { throw std::runtime_error(why.message); });
    wal::decoder decode(wal_.identity, wal_.start, lsn{});
    lsn last_record;
    read_in_chunks(wal_, chunk_bytes, [&](lsn at, byte_view data) {
      check(decode.feed(at, data));
      while (const auto record = value_of(decode.next())) {
        check(ingest.ingest(*record));
        last_record = record->start;
      }
      if (store_->is_full()) write_and_merge({decode.position(), last_record}, ingest);
    });
    write_and_merge({decode.position(), last_record}, ingest);
  }

  /// Whatever is due; `collect`: what may go, too.
  void merge(bool collect) {
    const layers::retention keep{window_bytes_ == 0 ? lsn{} : horizon(), {}};
    if (keep.horizon.is_valid()) check(store_->set_readable_from(keep.horizon));
    while (const auto job = value_of(store_->next_merge(keep, collect))) {
      const auto written = merges_.measure([&] { return job->run([] { return false; }); });
      check(store_->install(*job, written));
    }
    remove_garbage();
  }

  void report(const char* when) const {
    const layers::layer_map& map = store_->map();
    fmt::print("  {:<32} {:.0f} MB in {} slices, a read looks at {} at most; by level", when,
               mb(map.size_bytes()), map.slices(), map.depth());
    for (const auto& level : map.levels()) {
      uint64_t bytes = 0;
      for (const layers::layer_slice& one : level) bytes += one.file.size_bytes;
      fmt::print(" {:.0f}", mb(bytes));
    }
    const double of_wal = (mb(map.size_bytes()) - mb(std::filesystem::file_size(wal_.base_file))) /
                          mb(wal_.size_bytes());
    fmt::print("\n  {:<32} {:.3f}\n", "without a base, of the WAL", of_wal);
  }
  void report_work() const {
    fmt::print("  {:<10} {:>5} {:>9} {:>11} {:>9} {:>9} {:>12} {:>15}\n", "", "jobs", "MB read",
               "MB written", "seconds", "CPU s", "MB read / s", "MB written / s");
    for (const auto& [name, one] : {std::pair{"flushes", &flushes_}, {"merges", &merges_}})
      fmt::print("  {:<10} {:>5} {:>9.0f} {:>11.0f} {:>9.2f} {:>9.2f} {:>12.0f} {:>15.0f}\n", name,
                 one->jobs, mb(one->read_bytes), mb(one->written_bytes), one->elapsed_s, one->cpu_s,
                 mb(one->read_bytes) / one->elapsed_s, mb(one->written_bytes) / one->elapsed_s);
    fmt::print("  {:<32} {:.2f} of what was flushed, {:.2f} of the WAL\n", "written in all",
               mb(flushes_.written_bytes + merges_.written_bytes) / mb(flushes_.written_bytes),
               mb(flushes_.written_bytes + merges_.written_bytes) / mb(wal_.size_bytes()));
  }

 private:
  void write_and_merge(const layers::wal_place& end, layers::ingestor& ingest) {
    store_->freeze(end);
    while (const auto job = store_->next_write()) {
      const auto written = flushes_.measure([&] { return job->run(); });
      check(store_->install(*job, written));
    }
    merge(false);
    ingest.continue_in(store_->open_layer(), store_->below_open());
  }
  lsn horizon() const {
    const lsn end = store_->disk_consistent().at;
    return end - wal_.start > window_bytes_ ? end - window_bytes_ : wal_.start;
  }
  /// Nobody reads meanwhile.
  void remove_garbage() const {
    std::set<std::string> named{"base.image"};
    for (const auto& level : store_->map().levels())
      for (const layers::layer_slice& one : level) named.insert(file_name_of(one.file.name));
    for (const auto& one : std::filesystem::directory_iterator(folder_ / "layers"))
      if (!named.contains(one.path().filename().string())) std::filesystem::remove(one.path());
  }

  const pgbench_wal& wal_;
  const path folder_;
  const uint64_t window_bytes_;
  std::unique_ptr<layers::layer_store> store_;
  work flushes_;
  work merges_;
};

int run_all(int argc, char** argv) {
  pgbench_run how;
  how.transactions_each = argc > 1 ? std::stoi(argv[1]) : 120'000;
  // A checkpoint every 200 MB or so, and the pages' images that follow it.
  how.configuration = "max_wal_size = 400MB\n";
  fmt::print("{}\n", conditions());
  const testing::temporary_directory directory;
  const pgbench_wal wal = make_pgbench_wal(directory, how);
  fmt::print("{:.0f} MB of WAL of pgbench, scale {}, over a base of {:.0f} MB\n",
             mb(wal.size_bytes()), how.scale, mb(std::filesystem::file_size(wal.base_file)));
  for (const uint64_t window : {uint64_t{0}, wal.size_bytes() / 4}) {
    if (window == 0)
      fmt::print("everything is kept\n");
    else
      fmt::print("the last {:.0f} MB of WAL are kept\n", mb(window));
    const path folder = directory / fmt::format("timelines{}", window);
    timeline one(wal, folder, window);
    one.ingest_all();
    one.report("at the end");
    one.report_work();
    one.merge(true);
    one.report("all collected");
    std::filesystem::remove_all(folder);
  }
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_compact: {}\n", failure.what());
    return 1;
  }
}
