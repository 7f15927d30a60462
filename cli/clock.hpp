// clock: the time of day, for the command line's texts.
#pragma once

#include <chrono>

#include "storage/base/timestamp.hpp"

namespace zenith::cli {

inline timestamp now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return timestamp::from_unix_us(
      std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

}  // namespace zenith::cli
