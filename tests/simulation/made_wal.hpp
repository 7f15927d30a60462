// made_wal: records by chance that fit what a timeline holds, as bytes and as layers take them.
#pragma once

#include "storage/layers/memory_layer.hpp"
#include "tests/simulation/chance.hpp"
#include "tests/simulation/history.hpp"

namespace zenith::simulation {

/// The next record of a timeline. `unknowns`: whether it may be one that is not understood.
step_of_wal make_step(const history& all, size_t line, chance& by, bool unknowns);

/// The bytes of a record.
bytes record_of(const step_of_wal& step);

/// Puts a record of a timeline into a layer as the ingestor would, and publishes it.
void feed(const history& all, size_t line, const step_of_wal& step, layers::memory_layer& into);

/// What a root timeline starts with.
std::map<key, bytes> make_base(chance& by);

}  // namespace zenith::simulation
