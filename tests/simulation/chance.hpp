// chance: the random numbers of one step of a run.
#pragma once

#include <cstdint>
#include <vector>

namespace zenith::simulation {

/// Each step of a run has its own, from the run's seed and its number, so that what a step does
/// depends on the state it finds and not on how much chance the steps before it took.
class chance {
 public:
  chance(uint64_t seed, uint64_t step) : state_(mix(seed * 0x9e3779b97f4a7c15u + mix(step + 1))) {}

  uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15u); }
  uint64_t below(uint64_t bound) { return next() % bound; }
  uint64_t between(uint64_t first, uint64_t last) { return first + below(last - first + 1); }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  char letter() { return static_cast<char>('a' + below(26)); }

 private:
  static uint64_t mix(uint64_t h) {
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
  }
  uint64_t state_;
};

}  // namespace zenith::simulation
