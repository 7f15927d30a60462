// mutate: what custom mutators share: a random source, and libFuzzer's own changes of a part.
#pragma once

#include <random>

#include "storage/base/bytes.hpp"

namespace zenith::fuzz {

using random_source = std::minstd_rand;

/// A number below `bound`, which is not 0.
inline size_t below(random_source& random, size_t bound) { return random() % bound; }
inline bool one_in(random_source& random, size_t count) { return below(random, count) == 0; }

/// Changes bytes as libFuzzer does; they may become up to `growth_bytes` longer.
void mutate_bytes(bytes& data, size_t growth_bytes);
/// The same for bytes whose number stays.
void mutate_in_place(byte_span data);
/// Puts a number that is likely to matter (0, 1, all ones, near a page's size, near what is there)
/// into two of the bytes.
void mutate_offset(random_source& random, byte_span data);

}  // namespace zenith::fuzz
