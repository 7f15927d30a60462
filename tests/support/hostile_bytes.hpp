// hostile_bytes: every prefix and every changed byte of a valid input, and seeded garbage.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <random>

#include "storage/base/bytes.hpp"

namespace zenith::testing {

/// Calls `take` with each text that lacks bytes at the end.
inline void for_each_prefix(byte_view valid, const std::function<void(byte_view)>& take) {
  for (size_t size = 0; size < valid.size(); ++size) {
    // A copy of exactly that size, so that the sanitizer sees a read past its end.
    const bytes prefix(valid.begin(), valid.begin() + static_cast<ptrdiff_t>(size));
    take(prefix);
  }
}

/// Calls `take` with each text in which one byte differs: each bit alone, and all of them.
inline void for_each_flip(byte_view valid, const std::function<void(byte_view)>& take) {
  for (size_t i = 0; i < valid.size(); ++i) {
    for (const int flip : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      bytes changed(valid.begin(), valid.end());
      changed[i] ^= static_cast<std::byte>(flip);
      take(changed);
    }
  }
}

/// Calls `take` with random texts of up to `size_max` bytes.
inline void for_each_garbage(uint64_t seed, int count, size_t size_max,
                             const std::function<void(byte_view)>& take) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < count; ++i) {
    bytes garbage(random() % (size_max + 1));
    for (std::byte& b : garbage) b = static_cast<std::byte>(random());
    take(garbage);
  }
}

}  // namespace zenith::testing
