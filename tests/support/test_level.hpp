// test_level: how much of the long tests a run does: CI's share, or all of it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace zenith::testing {

/// ZENITH_TEST_LEVEL=full asks for all of it.
inline bool full_test_level() {
  const char* level = std::getenv("ZENITH_TEST_LEVEL");
  return level != nullptr && std::string_view(level) == "full";
}

/// A number from the environment, e.g. ZENITH_TEST_SEED.
inline long test_setting(const char* name, long by_default) {
  const char* text = std::getenv(name);
  return text == nullptr ? by_default : std::strtol(text, nullptr, 10);
}

/// ZENITH_TEST_SEED, 1 where it is not set: what all seeded tests begin from.
inline uint32_t test_seed() { return static_cast<uint32_t>(test_setting("ZENITH_TEST_SEED", 1)); }

}  // namespace zenith::testing
