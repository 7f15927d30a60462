// Finding what of a slice cannot be read: reading on behind each error, as merges would.
#include <algorithm>

#include "storage/layers/layer_files.hpp"
#include "storage/layers/unreadable.hpp"

namespace zenith::layers {
namespace {

/// With more parts than these the rest of the range counts as one.
constexpr size_t parts_max = 16;
/// So many blocks behind an error are tried one by one.
constexpr size_t blocks_tried_max = 64;
constexpr uint64_t bytes_between_stops = uint64_t{1} << 20;

/// `reached`: the last key that was read.
result<void> read_all(layer_files& files, const layer_slice& slice, const key_range& keys,
                      const std::function<bool()>& stop, key& reached) {
  ZENITH_TRY_ASSIGN(const auto versions,
                    files.cursor(slice.file, keys.first, keys.last, slice.until));
  uint64_t unasked = bytes_between_stops;
  for (version_entry v;;) {
    if (unasked >= bytes_between_stops) {
      unasked = 0;
      if (stop && stop()) return fail(errc::unavailable, "the merge was told to stop");
    }
    ZENITH_TRY_ASSIGN(const bool more, versions->next(v));
    if (!more) return {};
    reached = v.k;
    unasked += sizeof v + v.data.size();
  }
}

/// The first key behind `bad` from which on a cursor finds its way; none where that is far. Reads
/// that begin at a block's first key look at the block before it as well.
result<std::optional<key>> readable_behind(layer_files& files, const layer_slice& slice,
                                           const key_range& bad) {
  const auto blocks = files.split(slice.file, bad.first, bad.last, 1);
  if (!blocks && !is_damage(blocks.error())) return tl::unexpected<error>(blocks.error());
  if (!blocks) return std::nullopt;
  size_t tried = 0;
  for (const key& k : *blocks) {
    if (k <= bad.first) continue;
    if (++tried > blocks_tried_max) break;
    key reached;
    const auto read = read_all(files, slice, {k, k}, nullptr, reached);
    if (read) return k;
    if (!is_damage(read.error())) return tl::unexpected<error>(read.error());
  }
  return std::nullopt;
}

}  // namespace

result<std::vector<unreadable_part>> find_unreadable(layer_files& files, const layer_slice& slice,
                                                     const key_range& keys,
                                                     const std::function<bool()>& stop) {
  std::vector<unreadable_part> found;
  const key last = std::min(keys.last, slice.last);
  for (std::optional<key> from = std::max(keys.first, slice.first); from && *from <= last;) {
    key reached = *from;
    const auto read = read_all(files, slice, {*from, last}, stop, reached);
    if (read) break;
    if (!is_damage(read.error())) return tl::unexpected<error>(read.error());
    from.reset();
    if (found.size() + 1 < parts_max) {
      ZENITH_TRY_ASSIGN(from, readable_behind(files, slice, {reached, last}));
    }
    found.push_back({slice.file.name, {reached, from ? key_before(*from) : last}, read.error()});
  }
  return found;
}

}  // namespace zenith::layers
