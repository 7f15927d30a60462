// An assertion that holds in release builds too.
#include "storage/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace zenith {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "zenith: internal error: %s is false (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace zenith
