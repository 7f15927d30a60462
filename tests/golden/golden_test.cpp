// The golden corpus: what its WAL leads to is what PostgreSQL's own recovery makes of it.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/golden_replay.hpp"

namespace zenith::testing {
namespace {

class golden : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(scenarios, golden, ::testing::ValuesIn(golden_names()),
                         [](const auto& which) { return which.param; });

std::string first_of(const std::vector<std::string>& lines) {
  std::string text = std::to_string(lines.size()) + " differences\n";
  for (size_t i = 0; i < std::min<size_t>(lines.size(), 10); ++i) text += lines[i] + "\n";
  return text;
}

TEST_P(golden, pages_and_state_at_each_stop_are_those_of_postgresqls_recovery) {
  const auto scenario = load_golden(GetParam());
  const golden_replay replay(scenario);
  EXPECT_EQ(replay.failures(), std::vector<std::string>{});
  const auto view = replay.view();
  ASSERT_GE(scenario.stops.size(), 4u);
  EXPECT_EQ(scenario.stops.back().at, scenario.end);
  for (const golden_stop& stop : scenario.stops) {
    size_t compared = 0;
    const auto found = replay.differences(view, stop, compared);
    EXPECT_TRUE(found.empty()) << first_of(found);
    EXPECT_GT(compared, 2000u);
  }
}

}  // namespace
}  // namespace zenith::testing
