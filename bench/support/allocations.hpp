// allocations: counts what a program takes from the heap; its source belongs to bench_redo only.
#pragma once

#include <cstdint>

namespace zenith::bench {

/// How often any thread of this program called operator new (but for over-aligned types).
uint64_t allocations_so_far();

}  // namespace zenith::bench
