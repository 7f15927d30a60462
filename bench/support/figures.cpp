// Medians, and the machine's load.
#include "bench/support/figures.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace zenith::bench {

spread spread_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const size_t middle = samples.size() / 2;
  const double median =
      samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
  return {samples.front(), median, samples.back()};
}

std::string to_text(const spread& s, int decimals) {
  return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", s.median, decimals, s.min, decimals, s.max,
                     decimals);
}

std::string conditions() {
  std::array<double, 3> load{};
  if (getloadavg(load.data(), 3) != 3) load.fill(-1);
  return fmt::format("{:%Y-%m-%d %H:%M} UTC, {} processors, load {:.2f} {:.2f} {:.2f}",
                     fmt::gmtime(std::time(nullptr)), sysconf(_SC_NPROCESSORS_ONLN), load[0],
                     load[1], load[2]);
}

}  // namespace zenith::bench
