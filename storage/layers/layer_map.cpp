// Maps: made from slices, capped, and with what was written on top.
#include "storage/layers/layer_map.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/layers/layer_map_checks.hpp"

namespace zenith::layers {
namespace {

// Reads look through all unknowns. Past this number, keys of one kind are not told apart.
constexpr size_t unknowns_max = 256;

/// Holds no versions, says what is not known.
class unknown_layer final : public layer {
 public:
  explicit unknown_layer(std::vector<unknown_state> newest_first)
      : unknowns_(std::move(newest_first)) {
    for (size_t i = 0; i + 1 < unknowns_.size(); ++i) unknowns_[i].next = &unknowns_[i + 1];
  }

  result<void> collect(const key&, lsn, lsn, key_history&) const override { return {}; }
  result<void> list(const key&, const key&, lsn,
                    const std::function<void(const key&)>&) const override {
    return {};
  }
  const unknown_state* unknown() const override { return &unknowns_.front(); }

 private:
  std::vector<unknown_state> unknowns_;
};

bool says_the_same(const unknown_state& a, const unknown_state& b) {
  return a.keys == b.keys && a.at == b.at && a.why.code == b.why.code &&
         a.why.message == b.why.message;
}

bool is_covered(const key_pattern& keys, const std::vector<unknown_state>& by) {
  return std::ranges::any_of(by, [&](const unknown_state& one) {
    return one.keys == keys || one.keys == key_pattern::all(keys.kind);
  });
}

std::vector<const layer_file_info*> different_files(const std::vector<layer_level>& levels) {
  std::vector<const layer_file_info*> files;
  for (const layer_level& level : levels)
    for (const layer_slice& slice : level) files.push_back(&slice.file);
  const auto by_name = [](const layer_file_info* file) -> const layer_name& { return file->name; };
  std::ranges::sort(files, {}, by_name);
  const auto same = [](const auto* a, const auto* b) { return a->name == b->name; };
  files.erase(std::unique(files.begin(), files.end(), same), files.end());
  return files;
}

}  // namespace

result<layer_map> layer_map::make(std::vector<level> levels, std::vector<unknown_state> unknowns,
                                  std::vector<std::optional<key>> places) {
  if (levels.size() > level_count || places.size() > level_count)
    return fail(errc::corrupt, fmt::format("a layer map has {} levels, expected no more than {}",
                                           std::max(levels.size(), places.size()), level_count));
  levels.resize(level_count);
  places.resize(level_count);
  layer_map made;
  for (unsigned i = 0; i < level_count; ++i) {
    for (layer_slice& slice : levels[i]) slice.until = slice.reaches();
    ZENITH_TRY(check_level(i, levels[i]));
    if (i > 0) ZENITH_TRY(check_below(levels[0], i, levels[i]));
  }
  for (unsigned i = 0; i < level_count; ++i) made.levels_[i] = layer_level(std::move(levels[i]));
  if (!std::ranges::is_sorted(unknowns, std::greater{}, &unknown_state::at))
    return fail(errc::corrupt, "what is unknown does not come newest first");
  for (unknown_state& one : unknowns) one.next = nullptr;
  made.unknowns_ = std::move(unknowns);
  made.places_ = std::move(places);
  return made;
}

uint64_t layer_map::size_bytes() const {
  uint64_t all = 0;
  for (const layer_file_info* file : different_files(levels_)) all += file->size_bytes;
  return all;
}

size_t layer_map::slices() const {
  size_t all = 0;
  for (const layer_level& level : levels_) all += level.size();
  return all;
}

size_t layer_map::depth() const {
  size_t all = levels_.front().size();
  for (size_t i = 1; i < levels_.size(); ++i) all += levels_[i].empty() ? 0 : 1;
  return all;
}

std::vector<lsn> layer_map::copied_at() const {
  std::vector<lsn> all;
  for (const layer_level& level : levels_)
    for (const layer_slice& slice : level)
      for (const lsn at : slice.file.copied_at) all.push_back(at);
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<layer_reference> layer_map::layers(layer_files& files) const {
  std::vector<layer_reference> all;
  if (!unknowns_.empty())
    all.push_back({std::make_shared<unknown_layer>(unknowns_), unknowns_.front().at});
  for (size_t i = 0; i < levels_.size(); ++i) {
    const auto& made =
        levels_[i].layers(files, i == 0 ? layer_level::form::each : layer_level::form::sorted);
    all.insert(all.end(), made.begin(), made.end());
  }
  return all;
}

layer_map layer_map::capped(lsn until) const {
  layer_map child = *this;
  for (layer_level& level : child.levels_) {
    const auto differs = [&](const layer_slice& slice) { return slice.until > until; };
    if (std::ranges::none_of(level, differs)) continue;
    std::vector<layer_slice> kept;
    for (const layer_slice& slice : level) {
      if (slice.file.first_lsn() > until) continue;
      kept.push_back(slice);
      kept.back().until = std::min(slice.until, until);
    }
    level = layer_level(std::move(kept));
  }
  std::erase_if(child.unknowns_, [&](const unknown_state& one) { return one.at > until; });
  return child;
}

layer_map layer_map::with_flushed(const std::vector<layer_file_info>& files,
                                  const std::vector<unknown_state>& unknowns, lsn until) const {
  layer_map after = *this;
  std::vector<layer_slice> level0;
  for (const layer_file_info& file : files)
    level0.push_back({file, file.first_key, file.last_key, std::min(file.last, until)});
  if (!level0.empty()) {
    level0.insert(level0.end(), levels_.front().begin(), levels_.front().end());
    after.levels_.front() = layer_level(std::move(level0));
  }
  for (auto one = unknowns.rbegin(); one != unknowns.rend(); ++one) {
    const bool fits = after.unknowns_.size() < unknowns_max;
    const key_pattern keys = fits ? one->keys : key_pattern::all(one->keys.kind);
    if (!is_covered(keys, after.unknowns_))
      after.unknowns_.insert(after.unknowns_.begin(), {keys, one->at, one->why, nullptr});
  }
  return after;
}

bool layer_map::operator==(const layer_map& other) const {
  return levels_ == other.levels_ && places_ == other.places_ &&
         std::ranges::equal(unknowns_, other.unknowns_, says_the_same);
}

}  // namespace zenith::layers
