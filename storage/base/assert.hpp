// An assertion that holds in release builds too: for what only our own bug can break.
#pragma once

namespace zenith {

/// Prints the place and the condition on standard error, then aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace zenith

/// Never on anything that comes from a disk, a network or a person: those are results.
#define ZENITH_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::zenith::assertion_failed(#condition, __FILE__, __LINE__))
