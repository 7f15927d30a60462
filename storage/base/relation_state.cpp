// relation_state: truncation's rule, and its stored form.
#include "storage/base/relation_state.hpp"

#include <fmt/format.h>

namespace zenith {

void relation_state::truncate(block_number kept_blocks, lsn at) {
  // An earlier cut that kept as much or more hides nothing that this one does not.
  while (!cuts_.empty() && cuts_.back().kept_blocks >= kept_blocks) cuts_.pop_back();
  cuts_.push_back({at, kept_blocks});
  blocks_ = std::min(blocks_, kept_blocks);
}

lsn relation_state::hidden_until(block_number block) const {
  for (auto it = cuts_.rbegin(); it != cuts_.rend(); ++it)
    if (it->kept_blocks <= block) return it->at;
  return lsn{};
}

bytes relation_state::encode() const {
  bytes out(8 + 12 * cuts_.size());
  store(out.data(), blocks_);
  store(out.data() + 4, static_cast<uint32_t>(cuts_.size()));
  std::byte* at = out.data() + 8;
  for (const cut& c : cuts_) {
    store(at, c.at.value());
    store(at + 8, c.kept_blocks);
    at += 12;
  }
  return out;
}

result<relation_state> relation_state::decode(byte_view stored) {
  if (stored.size() < 8 || stored.size() != 8 + 12 * uint64_t{load<uint32_t>(stored.data() + 4)})
    return fail(
        errc::corrupt,
        fmt::format("a relation's size has {} bytes, which fits no number of cuts", stored.size()));
  relation_state state;
  state.blocks_ = load<uint32_t>(stored.data());
  for (size_t at = 8; at < stored.size(); at += 12) {
    const cut c{lsn{load<uint64_t>(stored.data() + at)}, load<uint32_t>(stored.data() + at + 8)};
    if (!state.cuts_.empty() &&
        (state.cuts_.back().at > c.at || state.cuts_.back().kept_blocks >= c.kept_blocks))
      return fail(errc::corrupt, "a relation's cuts are not in order");
    state.cuts_.push_back(c);
  }
  return state;
}

}  // namespace zenith
