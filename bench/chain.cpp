// A chain of branches with writes on each level: a page read on the last level against the first.
//
// On the first level most pages have no history, on the last all have some: so a page is read as
// well on one branch that got the same writes, without any depth. In process, through a view as a
// connection has it, in turn on all three: from files that were just opened, with nothing in a
// cache of ours (the machine's has the files), then again from the page cache. The same pages in
// the same random order; each is compared with what was written.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "bench/support/made_chain.hpp"

namespace zenith::bench {
namespace {

constexpr int rounds = 9;
constexpr int hot_passes = 5;
constexpr size_t page_cache_bytes = size_t{256} << 20;
constexpr double wanted_ratio = 1.5;

// One figure of each round.
struct reads {
  std::vector<double> each_us;  // all pages' time by their number
  std::vector<double> p50_us;
  std::vector<double> p99_us;
};
struct level_reads {
  std::vector<double> open_ms;
  reads cold;
  reads hot;
};

void add(reads& to, double seconds, std::vector<double> us) {
  std::ranges::sort(us);
  to.each_us.push_back(seconds * 1e6 / static_cast<double>(us.size()));
  to.p50_us.push_back(us[us.size() / 2]);
  to.p99_us.push_back(us[us.size() * 99 / 100]);
}

// All but the LSN that redo put into the page.
bool is_same(const page& found, const page& written) {
  return std::memcmp(found.begin() + sizeof(lsn), written.begin() + sizeof(lsn),
                     page_size_bytes - sizeof(lsn)) == 0;
}

void read_level(const made_chain& all, const made_chain::level& level,
                const std::vector<block_number>& blocks, level_reads& into) {
  const auto cache = std::make_shared<layers::page_cache>(page_cache_bytes);
  const stopwatch opening;
  const auto timeline = all.open(level, cache, all.new_registry());
  into.open_ms.push_back(opening.seconds() * 1e3);
  const auto view = timeline->view();
  std::vector<std::shared_ptr<const page>> found(blocks.size());
  const auto read_all = [&](reads& to) {
    std::vector<double> us;
    us.reserve(blocks.size());
    const stopwatch whole;
    for (size_t i = 0; i < blocks.size(); ++i) {
      const stopwatch one;
      auto read = view->shared_page(all.table(), fork_number::main, blocks[i], level.end);
      us.push_back(one.seconds() * 1e6);
      if (!read) throw std::runtime_error(read.error().message);
      found[i] = std::move(*read);
    }
    add(to, whole.seconds(), std::move(us));
  };
  read_all(into.cold);
  for (size_t i = 0; i < blocks.size(); ++i)
    if (!is_same(*found[i], level.pages[blocks[i]]))
      throw std::runtime_error(fmt::format("timeline {}: block {} is not what was written",
                                           to_string(level.id), blocks[i]));
  for (int pass = 0; pass < hot_passes; ++pass) read_all(into.hot);
}

void print_making(size_t from, size_t to, const std::vector<made_chain::made>& took) {
  std::vector<double> branch, open;
  for (size_t level = from; level <= to; ++level) {
    branch.push_back(took[level - 1].branch_ms);
    open.push_back(took[level - 1].open_ms);
  }
  fmt::print("  levels {:>4} to {:>4}: {:>26} {:>26}\n", from, to, to_text(spread_of(branch), 2),
             to_text(spread_of(open), 2));
}

void print_reads(const char* what, const reads& first, const reads& flat, const reads& last) {
  const auto line = [&](const char* figure, const std::vector<double>& a,
                        const std::vector<double>& b, const std::vector<double>& c) {
    const spread of_last = spread_of(c);
    fmt::print("  {:<19} {:<4} {:>24} {:>24} {:>24} {:>7.2f} {:>7.2f}\n", what, figure,
               to_text(spread_of(a), 2), to_text(spread_of(b), 2), to_text(of_last, 2),
               of_last.median / spread_of(a).median, of_last.median / spread_of(b).median);
  };
  line("each", first.each_us, flat.each_us, last.each_us);
  line("p50", first.p50_us, flat.p50_us, last.p50_us);
  line("p99", first.p99_us, flat.p99_us, last.p99_us);
}

void print_map(const char* name, const made_chain& all, const made_chain::level& level) {
  const auto opened = all.open(level, nullptr, all.new_registry());
  const layers::layer_map& map = opened->layers().map();
  fmt::print("{}: {} slices, a read looks at {} of them at most, {:.1f} MB\n", name, map.slices(),
             map.depth(), static_cast<double>(map.size_bytes()) / 1e6);
}

int run_all(int argc, char** argv) {
  const size_t levels = argc > 1 ? std::stoul(argv[1]) : 1000;
  const unsigned pages = argc > 2 ? static_cast<unsigned>(std::stoul(argv[2])) : 1000;
  if (levels < 2) throw std::runtime_error("a chain has two levels or more");
  fmt::print("{}\n", conditions());
  const testing::temporary_directory directory;
  made_chain all(directory, pages);
  const stopwatch making;
  std::vector<made_chain::made> took;
  while (took.size() < levels) took.push_back(all.add_level());
  fmt::print("{} levels made in {:.0f} s; ms, median (min to max)\n", levels, making.seconds());
  fmt::print("  {:<20} {:>26} {:>26}\n", "", "branch, durable", "opened for a write");
  const size_t part = (levels + 3) / 4;
  for (size_t from = 1; from <= levels; from += part)
    print_making(from, std::min(from + part - 1, levels), took);

  std::vector<block_number> blocks(all[1].pages.size());
  std::iota(blocks.begin(), blocks.end(), block_number{0});
  std::shuffle(blocks.begin(), blocks.end(), std::minstd_rand(1));
  level_reads first, flat, last;
  for (int round = 0; round < rounds; ++round) {
    read_level(all, all[1], blocks, first);
    read_level(all, all.flat(), blocks, flat);
    read_level(all, all[levels], blocks, last);
  }
  const std::string last_name = fmt::format("level {}", levels);
  print_map("level 1", all, all[1]);
  print_map("one branch", all, all.flat());
  print_map(last_name.c_str(), all, all[levels]);
  fmt::print("{} pages, us, median (min to max) of {} rounds; wanted: a ratio of {} at most\n",
             blocks.size(), rounds, wanted_ratio);
  fmt::print("  {:<24} {:>24} {:>24} {:>24} {:>7} {:>7}\n", "", "level 1", "one branch", last_name,
             "/ 1", "/ one");
  print_reads("cold", first.cold, flat.cold, last.cold);
  print_reads("from the page cache", first.hot, flat.hot, last.hot);
  fmt::print("opening it when closed, ms: {} at level 1, {} the one branch, {} at {}\n",
             to_text(spread_of(first.open_ms), 2), to_text(spread_of(flat.open_ms), 2),
             to_text(spread_of(last.open_ms), 2), last_name);
  fmt::print("{}\n", conditions());
  return 0;
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    return zenith::bench::run_all(argc, argv);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_chain: {}\n", failure.what());
    return 1;
  }
}
