// figures: what repeated measurements come to, and under which load they were taken.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace zenith::bench {

/// Of several measurements of one thing.
struct spread {
  double min = 0;
  double median = 0;
  double max = 0;
};
/// `samples`: at least one.
spread spread_of(std::vector<double> samples);

/// "median (min to max)", each with so many decimals.
std::string to_text(const spread& s, int decimals);

/// "2026-11-22 16:40 UTC, 2 processors, load 0.12 0.50 0.80": a report's first line.
std::string conditions();

/// Time that passes, from its construction or restart on.
class stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(clock::now() - since_).count(); }
  void restart() { since_ = clock::now(); }

 private:
  using clock = std::chrono::steady_clock;
  clock::time_point since_ = clock::now();
};

}  // namespace zenith::bench
