// Views of all files, and of what is older than a version in the files that a merge leaves alone.
#include "storage/layers/merge_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace zenith::layers {
namespace {

constexpr size_t fork_states_kept = 4096;

result<void> gather(const std::vector<layer_reference>& layers, const key& k, lsn after, lsn until,
                    key_history& history) {
  for (const layer_reference& one : layers) {
    if (std::min(until, one.until) <= std::max(after, one.after)) continue;
    ZENITH_TRY(one.data->collect(k, after, std::min(until, one.until), history));
    if (history.state != key_history::state_kind::open) break;
  }
  return {};
}

result<void> read_page(const view& from, const key& k, lsn at, page& into) {
  if (k.kind == key_kind::relation_block)
    return from.read_page(k.relation(), k.relation_fork(), k.d, at, into);
  ZENITH_TRY_ASSIGN(const auto value, from.value(k, at));
  if (!value || value->size() != page_size_bytes)
    return fail(errc::corrupt, fmt::format("{} does not exist at {}, but a record changes it",
                                           to_string(k), to_string(at)));
  std::copy(value->begin(), value->end(), into.begin());
  return {};
}

result<bool> lacks_bits(const view& from, const key& k, lsn at) {
  ZENITH_TRY_ASSIGN(const auto first, from.first_image(k.relation(), k.relation_fork(), k.d, at));
  return first && lacks_map_bits(first->image);
}

}  // namespace

/// All layers; of one key only what lies in untouched files and is older than a version.
class merge_history::layers_before final : public layer {
 public:
  layers_before(std::vector<layer_reference> all, std::vector<layer_reference> untouched)
      : all_(std::move(all)), untouched_(std::move(untouched)) {}

  void narrow(const key& k, lsn before) {
    key_ = k;
    before_ = before;
  }

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override {
    // Read as of an earlier LSN it is what a copy that it begins with was copied from.
    if (k == key_ && until >= before_) return gather(untouched_, k, after, before_ - 1, history);
    return gather(all_, k, after, until, history);
  }
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override {
    for (const layer_reference& one : all_)
      ZENITH_TRY(one.data->list(first, last, std::min(until, one.until), each));
    return {};
  }
  const unknown_state* unknown() const override {
    for (const layer_reference& one : all_)
      if (const unknown_state* found = one.data->unknown()) return found;
    return nullptr;
  }

 private:
  std::vector<layer_reference> all_;
  std::vector<layer_reference> untouched_;
  key key_;
  lsn before_;
};

merge_history::merge_history(std::vector<layer_reference> all,
                             std::vector<layer_reference> untouched, page_checksums checksums)
    : layers_(std::move(all)),
      narrowed_(std::make_shared<layers_before>(layers_, std::move(untouched))),
      all_(layers_, lsn{}, lsn::max(), nullptr, checksums),
      before_({{narrowed_, lsn::max()}}, lsn{}, lsn::max(), nullptr, checksums) {}

const result<std::optional<relation_state>>& merge_history::fork_at(const key& block, lsn at) {
  const key fork = key::size(block.relation(), block.relation_fork());
  if (fork != fork_ || fork_states_.size() >= fork_states_kept) {
    fork_states_.clear();
    fork_ = fork;
  }
  const auto known = fork_states_.find(at);
  if (known != fork_states_.end()) return known->second;
  return fork_states_.emplace(at, all_.relation(block.relation(), block.relation_fork(), at))
      .first->second;
}

result<visible_versions> merge_history::seen_at(const key& block, lsn state) {
  // What hid a block's versions before a state hides the same for all later ones, to the last one
  // that files know: most forks need one look.
  if (const auto& last = fork_at(block, lsn::max()); last && *last) {
    const lsn hidden = (*last)->hidden_until(block.d);
    if (hidden < state) return visible_versions{true, hidden};
  }
  const auto& fork = fork_at(block, state);
  if (!fork) return tl::unexpected<error>(fork.error());
  if (!*fork) return visible_versions{false, {}};
  return visible_versions{true, (*fork)->hidden_until(block.d)};
}

result<void> merge_history::page_before(const key& k, lsn before, lsn state, page& into) {
  narrowed_->narrow(k, before);
  return read_page(before_, k, state, into);
}

result<void> merge_history::page_at(const key& k, lsn at, page& into) const {
  return read_page(all_, k, at, into);
}

result<bool> merge_history::lacks_bits_before(const key& map_block, lsn before, lsn state) {
  narrowed_->narrow(map_block, before);
  return lacks_bits(before_, map_block, state);
}

result<bool> merge_history::lacks_bits_at(const key& map_block, lsn at) const {
  return lacks_bits(all_, map_block, at);
}

result<std::vector<lsn>> merge_history::common_records(const relation_id& relation,
                                                       fork_number fork) const {
  std::vector<lsn> starts;
  key_history history;
  // A copy of the whole fork, or an absence, hides those before it only from later states.
  for (lsn until = lsn::max();;) {
    history.clear();
    ZENITH_TRY(gather(layers_, key::all_blocks(relation, fork), lsn{}, until, history));
    if (!history.found()) break;
    for (const record_in_layer& one : history.records) starts.push_back(one.start);
    until = (history.records.empty() ? history.newest : history.records.back().end) - 1;
  }
  std::ranges::sort(starts);
  return starts;
}

bool lacks_map_bits(const pg::block_image& image) {
  return image.hole_length > 0 && image.hole_offset + image.hole_length == page_size_bytes;
}

}  // namespace zenith::layers
