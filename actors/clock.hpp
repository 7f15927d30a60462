// The wall clock, for the actors only: plain code is told what time it is.
#pragma once

#include <chrono>

#include "storage/base/timestamp.hpp"

namespace zenith::actors {

inline timestamp now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return timestamp::from_unix_us(
      std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

}  // namespace zenith::actors
