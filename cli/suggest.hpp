// suggest: what was probably meant by a word that is none of those expected.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zenith::cli {

/// How many letters have to be put in, taken out, changed, or swapped with their neighbour.
size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of the words; empty where none is near.
std::string nearest(std::string_view typed, const std::vector<std::string>& words);

}  // namespace zenith::cli
