// Which parts of layer files are to be left alone, as ranges of keys.
#include "storage/layers/unreadable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/layers/layer_map.hpp"

namespace zenith::layers {
namespace {

bool meet(const key_range& a, const key_range& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

bool is_damage(const error& why) {
  return why.code == errc::corrupt || why.code == errc::not_found;
}

void unreadable_parts::add(unreadable_part part) {
  parts& of = files_[part.file];
  if (of.why.empty()) of.why = std::move(part.why.message);
  key_range keys = part.keys;
  std::erase_if(of.keys, [&](const key_range& one) {
    if (!meet(one, keys)) return false;
    keys = {std::min(one.first, keys.first), std::max(one.last, keys.last)};
    return true;
  });
  of.keys.insert(std::ranges::upper_bound(of.keys, keys.first, {}, &key_range::first), keys);
  if (of.keys.size() > parts_per_file_max) of.keys = {{of.keys.front().first, of.keys.back().last}};
}

void unreadable_parts::keep_named(const layer_map& map) {
  if (files_.empty()) return;
  std::set<layer_name> named;
  for (const layer_level& level : map.levels())
    for (const layer_slice& slice : level) named.insert(slice.file.name);
  std::erase_if(files_, [&](const auto& one) { return !named.contains(one.first); });
}

bool unreadable_parts::touches(const layer_slice& slice) const {
  const auto known = files_.find(slice.file.name);
  return known != files_.end() &&
         std::ranges::any_of(known->second.keys, [&](const key_range& one) {
           return slice.overlaps(one.first, one.last);
         });
}

void unreadable_parts::add_of(const layer_slice& slice, std::vector<key_range>& to) const {
  const auto known = files_.find(slice.file.name);
  if (known == files_.end()) return;
  for (const key_range& one : known->second.keys)
    if (slice.overlaps(one.first, one.last))
      to.push_back({std::max(one.first, slice.first), std::min(one.last, slice.last)});
}

std::string unreadable_parts::problem() const {
  if (files_.empty()) return "";
  const std::string others =
      files_.size() == 1 ? "" : fmt::format(" (and {} more files)", files_.size() - 1);
  return fmt::format(
      "merges leave out what cannot be read: {}{}; put a good copy of it in its place and start "
      "the node again",
      files_.begin()->second.why, others);
}

std::optional<key_range> first_free(const std::vector<key_range>& ranges, const key& from,
                                    const key& to) {
  key first = from;
  for (bool moved = true; moved;) {
    moved = false;
    for (const key_range& one : ranges) {
      if (one.first > first || one.last < first) continue;
      if (one.last >= to) return std::nullopt;
      first = key_after(one.last);
      moved = true;
    }
  }
  key last = to;
  for (const key_range& one : ranges)
    if (one.first > first && one.first <= last) last = key_before(one.first);
  return key_range{first, last};
}

}  // namespace zenith::layers
