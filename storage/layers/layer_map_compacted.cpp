// A merge's outcome put into a map: the inputs' parts go, the outputs come, the rest stays.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "storage/layers/layer_map.hpp"
#include "storage/layers/layer_map_checks.hpp"

namespace zenith::layers {
namespace {

/// The merge's inputs, by level, as places in it.
using places_in_levels = std::array<std::set<size_t>, layer_map::level_count>;

struct merge {
  const std::vector<layer_level>& levels;
  key first;
  key last;
  unsigned output_level;
  places_in_levels taken;
};

tl::unexpected<error> refuse(const std::string& why) {
  return fail(errc::invalid_argument, "a merge cannot be put into the layer map: " + why);
}

result<void> take(merge& m, const layer_slice& input) {
  for (unsigned i = 0; i < m.levels.size(); ++i) {
    const std::vector<layer_slice>& slices = m.levels[i];
    const auto [begin, end] =
        i == 0 ? std::pair{size_t{0}, slices.size()} : overlapping(slices, input.first, input.last);
    for (size_t j = begin; j < end; ++j) {
      if (slices[j] != input) continue;
      if (i > m.output_level)
        return refuse(fmt::format("{} lies below level {}", describe(i, j, input), m.output_level));
      if (!input.overlaps(m.first, m.last))
        return refuse(fmt::format("{} has no key from {} to {}", describe(i, j, input),
                                  to_string(m.first), to_string(m.last)));
      m.taken[i].insert(j);
      return {};
    }
  }
  return fail(errc::conflict,
              fmt::format("file {:08x} of timeline {}, which a merge has read, is not in the layer "
                          "map any more with keys from {} to {}",
                          input.file.name.number, to_string(input.file.name.timeline),
                          to_string(input.first), to_string(input.last)));
}

/// Older versions than an input's, of keys that are merged, must not be left above the outputs.
result<void> check_nothing_is_passed(const merge& m) {
  const auto check = [&](const layer_slice& moved, unsigned level, size_t j) -> result<void> {
    const layer_slice& left = m.levels[level][j];
    if (m.taken[level].contains(j) ||
        !left.overlaps(std::max(moved.first, m.first), std::min(moved.last, m.last)))
      return {};
    return refuse(
        fmt::format("{} would be older than what comes to lie below it", describe(level, j, left)));
  };
  for (unsigned i = 0; i <= m.output_level; ++i) {
    for (const size_t taken : m.taken[i]) {
      const layer_slice& moved = m.levels[i][taken];
      if (i == 0) {
        const size_t end = m.output_level > 0 ? m.levels[0].size() : *m.taken[0].rbegin();
        for (size_t j = taken + 1; j < end; ++j) ZENITH_TRY(check(moved, 0, j));
      }
      for (unsigned below = i + 1; below < m.output_level; ++below) {
        const auto [begin, end] = overlapping(m.levels[below], std::max(moved.first, m.first),
                                              std::min(moved.last, m.last));
        for (size_t j = begin; j < end; ++j) ZENITH_TRY(check(moved, below, j));
      }
    }
  }
  return {};
}

result<void> check_outputs(const merge& m, const std::vector<layer_slice>& inputs,
                           const std::vector<layer_file_info>& outputs) {
  lsn oldest = lsn::max();
  lsn newest;
  for (const layer_slice& input : inputs) {
    oldest = std::min(oldest, input.file.first_lsn());
    newest = std::max(newest, input.reaches());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const layer_file_info& file = outputs[i];
    if (file.first_key < m.first || file.last_key > m.last || file.first_key > file.last_key ||
        (i > 0 && file.first_key <= outputs[i - 1].last_key))
      return refuse(
          fmt::format("file {:08x} has keys from {} to {}, expected later ones than in "
                      "the file before it, from {} to {}",
                      file.name.number, to_string(file.first_key), to_string(file.last_key),
                      to_string(m.first), to_string(m.last)));
    if (file.first_lsn() < oldest || file.last > newest)
      return refuse(fmt::format("file {:08x} has versions from {} to {}, expected some of {} to {}",
                                file.name.number, to_string(file.first_lsn()), to_string(file.last),
                                to_string(oldest), to_string(newest)));
  }
  return {};
}

/// What is left of a level: slices that are no inputs, and the inputs' parts before and after the
/// keys that were merged.
std::vector<layer_slice> remainder(const merge& m, unsigned level,
                                   const std::vector<layer_slice>& outputs) {
  std::vector<layer_slice> kept;
  const std::vector<layer_slice>& slices = m.levels[level];
  const std::set<size_t>& taken = m.taken[level];
  for (size_t i = 0; i < slices.size(); ++i) {
    if (!taken.contains(i)) {
      kept.push_back(slices[i]);
      continue;
    }
    if (slices[i].first < m.first) {
      kept.push_back(slices[i]);
      kept.back().last = key_before(m.first);
    }
    if (slices[i].last > m.last) {
      kept.push_back(slices[i]);
      kept.back().first = key_after(m.last);
    }
    if (level == 0 && m.output_level == 0 && i == *taken.rbegin())
      kept.insert(kept.end(), outputs.begin(), outputs.end());
  }
  if (level > 0 && level == m.output_level) {
    const auto middle = kept.insert(kept.end(), outputs.begin(), outputs.end());
    std::ranges::inplace_merge(kept, middle, {}, &layer_slice::first);
  }
  return kept;
}

}  // namespace

result<layer_map> layer_map::with_compacted(const std::vector<layer_slice>& inputs,
                                            const key& first, const key& last,
                                            const std::vector<layer_file_info>& outputs,
                                            unsigned output_level) const {
  if (inputs.empty() || last < first || output_level >= level_count)
    return refuse(fmt::format("it has {} inputs, keys from {} to {}, and goes to level {}",
                              inputs.size(), to_string(first), to_string(last), output_level));
  merge m{levels_, first, last, output_level, {}};
  for (const layer_slice& input : inputs) ZENITH_TRY(take(m, input));
  ZENITH_TRY(check_outputs(m, inputs, outputs));
  ZENITH_TRY(check_nothing_is_passed(m));

  std::vector<layer_slice> made;
  for (const layer_file_info& file : outputs)
    made.push_back({file, file.first_key, file.last_key, file.last});
  layer_map after = *this;
  for (unsigned i = 0; i <= output_level; ++i) {
    if (m.taken[i].empty() && i != output_level) continue;
    std::vector<layer_slice> level = remainder(m, i, made);
    if (auto checked = check_level(i, level); !checked) return refuse(checked.error().message);
    after.levels_[i] = layer_level(std::move(level));
  }
  // Which keys and LSNs a file has is known of it as a whole only.
  for (unsigned i = 1; i < level_count; ++i)
    if (output_level == 0 || output_level == i)
      if (auto checked = check_below(after.levels_[0], i, after.levels_[i]); !checked)
        return refuse(checked.error().message);
  const auto source = std::ranges::find_if(m.taken, [](const auto& one) { return !one.empty(); });
  const auto source_level = static_cast<unsigned>(source - m.taken.begin());
  if (source_level > 0 && source_level < output_level) after.places_[source_level] = last;
  return after;
}

}  // namespace zenith::layers
