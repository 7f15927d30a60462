// Order, overlaps and LSNs of slices.
#include "storage/layers/layer_map_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zenith::layers {
namespace {

result<void> check_slice(unsigned level, size_t index, const layer_slice& slice) {
  const layer_file_info& file = slice.file;
  const auto wrong = [&](std::string what) {
    return fail(errc::corrupt, fmt::format("{}: {}", describe(level, index, slice), what));
  };
  if (slice.first < file.first_key || slice.last < slice.first || file.last_key < slice.last)
    return wrong(fmt::format("its keys are {} to {}, expected some of {} to {}",
                             to_string(slice.first), to_string(slice.last),
                             to_string(file.first_key), to_string(file.last_key)));
  const bool is_image = file.name.kind == layer_kind::image;
  if (is_image ? file.after != file.last : file.after >= file.last)
    return wrong(fmt::format("an {} file has versions after {} up to {}",
                             is_image ? "image" : "delta", to_string(file.after),
                             to_string(file.last)));
  if (slice.until < file.first_lsn())
    return wrong(fmt::format("of versions after {} those up to {} count, which are none",
                             to_string(file.after), to_string(slice.until)));
  if (file.keys > file.entries)
    return wrong(fmt::format("it has {} keys, but {} entries", file.keys, file.entries));
  if (!std::ranges::is_sorted(file.copied_at)) return wrong("the LSNs of its copies do not ascend");
  return {};
}

tl::unexpected<error> not_newer(const std::string& upper, const layer_slice& above,
                                const std::string& lower, const layer_slice& below) {
  return fail(
      errc::corrupt,
      fmt::format("{} has versions from {} on of keys of which {}, which lies below it, "
                  "has versions up to {}",
                  upper, to_string(above.file.first_lsn()), lower, to_string(below.reaches())));
}

bool is_newer(const layer_slice& above, const layer_slice& below) {
  return above.file.first_lsn() > below.reaches();
}

}  // namespace

std::string describe(unsigned level, size_t index, const layer_slice& slice) {
  return fmt::format("slice {} of level {} (file {:08x} of timeline {})", index, level,
                     slice.file.name.number, to_string(slice.file.name.timeline));
}

result<void> check_level(unsigned level, const std::vector<layer_slice>& slices) {
  for (size_t i = 0; i < slices.size(); ++i) {
    ZENITH_TRY(check_slice(level, i, slices[i]));
    if (level == 0) {
      for (size_t j = i + 1; j < slices.size(); ++j)
        if (slices[i].overlaps(slices[j].first, slices[j].last) && !is_newer(slices[i], slices[j]))
          return not_newer(describe(0, i, slices[i]), slices[i], describe(0, j, slices[j]),
                           slices[j]);
    } else if (i > 0 && slices[i - 1].last >= slices[i].first) {
      return fail(errc::corrupt,
                  fmt::format("{} begins at {}, expected a key after the end of the one before "
                              "it, {}",
                              describe(level, i, slices[i]), to_string(slices[i].first),
                              to_string(slices[i - 1].last)));
    }
  }
  return {};
}

result<void> check_below(const std::vector<layer_slice>& level0, unsigned level,
                         const std::vector<layer_slice>& slices) {
  for (size_t i = 0; i < level0.size(); ++i) {
    const auto [begin, end] = overlapping(slices, level0[i].first, level0[i].last);
    for (size_t j = begin; j < end; ++j)
      if (!is_newer(level0[i], slices[j]))
        return not_newer(describe(0, i, level0[i]), level0[i], describe(level, j, slices[j]),
                         slices[j]);
  }
  return {};
}

std::pair<size_t, size_t> overlapping(const std::vector<layer_slice>& sorted, const key& first,
                                      const key& last) {
  const auto begin = std::ranges::lower_bound(sorted, first, {}, &layer_slice::last);
  const auto end = std::ranges::upper_bound(begin, sorted.end(), last, {}, &layer_slice::first);
  return {static_cast<size_t>(begin - sorted.begin()), static_cast<size_t>(end - sorted.begin())};
}

}  // namespace zenith::layers
