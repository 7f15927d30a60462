// A tree of timelines in layers, driven by chance, says at every step what a plain map says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/simulation/world.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::simulation {
namespace {

constexpr uint64_t seeds = 500;
constexpr uint64_t shares = 4;
constexpr uint64_t steps_of_a_run = 400;
constexpr int runs_to_shrink = 400;
constexpr size_t shown_steps_max = 80;

struct outcome {
  std::string found;  ///< empty: no difference
  difference::kind of{};
  uint64_t step = 0;  ///< at which it showed; past the last one: at the end
  std::vector<std::string> trace;
  uint64_t reads = 0;
};

outcome run(uint64_t seed, const std::vector<uint64_t>& steps) {
  outcome came;
  world tried(seed);
  try {
    for (const uint64_t step : steps) {
      came.step = step;
      tried.take_step(step);
    }
    came.step = steps_of_a_run;
    tried.finish();
  } catch (const difference& found) {
    came.found = found.what;
    came.of = found.of;
  }
  came.trace = tried.trace();
  came.reads = tried.reads();
  return came;
}

/// Leaves out steps as long as there still is a difference of this kind.
std::vector<uint64_t> shrunk(uint64_t seed, std::vector<uint64_t> steps, difference::kind of) {
  int runs = 0;
  for (size_t piece = std::max<size_t>(1, steps.size() / 2); runs < runs_to_shrink;) {
    bool any = false;
    for (size_t at = 0; at < steps.size() && runs < runs_to_shrink;) {
      std::vector<uint64_t> fewer(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(at));
      if (at + piece < steps.size())
        fewer.insert(fewer.end(), steps.begin() + static_cast<ptrdiff_t>(at + piece), steps.end());
      ++runs;
      const outcome came = run(seed, fewer);
      if (came.found.empty() || came.of != of) {
        at += piece;
      } else {
        steps = std::move(fewer);
        any = true;
      }
    }
    if (piece == 1 && !any) break;
    if (!any || piece > 1) piece = std::max<size_t>(1, piece / 2);
  }
  return steps;
}

std::string explained(uint64_t seed, const outcome& first, std::vector<uint64_t> steps) {
  steps.resize(std::min<size_t>(steps.size(), first.step + 1));
  const outcome least = run(seed, shrunk(seed, steps, first.of));
  std::string text = fmt::format("seed {} (ZENITH_TEST_SEED), step {}: {}\nwith fewest steps: {}\n",
                                 seed, first.step, first.found, least.found);
  const size_t from =
      least.trace.size() > shown_steps_max ? least.trace.size() - shown_steps_max : 0;
  for (size_t i = from; i < least.trace.size(); ++i) text += "  " + least.trace[i] + "\n";
  return text;
}

class simulation : public ::testing::TestWithParam<uint64_t> {};

TEST_P(simulation, layers_say_what_a_plain_map_says) {
  const uint64_t all = testing::full_test_level() ? seeds * 20 : seeds;
  uint64_t first = 1 + GetParam() * all / shares;
  uint64_t last = (GetParam() + 1) * all / shares;
  if (const long only = testing::test_setting("ZENITH_TEST_SEED", 0); only != 0) {
    if (GetParam() != 0) GTEST_SKIP() << "one seed is asked for";
    first = last = static_cast<uint64_t>(only);
  }
  std::vector<uint64_t> steps(steps_of_a_run);
  std::iota(steps.begin(), steps.end(), 0);
  uint64_t reads = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const outcome came = run(seed, steps);
    ASSERT_EQ(came.found, "") << explained(seed, came, steps);
    reads += came.reads;
  }
  std::cout << fmt::format("{} seeds, {} steps, {} reads compared\n", last - first + 1,
                           (last - first + 1) * steps_of_a_run, reads);
  EXPECT_GT(reads, steps_of_a_run / 2);
}

INSTANTIATE_TEST_SUITE_P(all, simulation, ::testing::Range<uint64_t>(0, shares));

}  // namespace
}  // namespace zenith::simulation
