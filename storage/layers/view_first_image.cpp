// The full-page image that a page's contents begin with, found in its history.
#include <fmt/format.h>

#include "storage/layers/view_internal.hpp"

namespace zenith::layers {
namespace {

/// The full-page image of a page that the oldest record of its history carries.
result<std::optional<view::kept_image>> image_in(key_history& history, const key& k) {
  const record_in_layer& one = history.records.back();
  pg::record record;
  ZENITH_TRY(pg::decode_record(one.bytes, one.start, one.end, record));
  for (const pg::block_reference& block : record.blocks())
    if (block.page_key() == k && block.has_image && block.image.apply)
      return view::kept_image{block.image, std::move(history.keeps)};
  return std::nullopt;
}

}  // namespace

result<std::optional<view::kept_image>> view::first_image(const relation_id& relation,
                                                          fork_number fork, block_number block,
                                                          lsn at) const {
  ZENITH_TRY(check_range(at));
  key k = key::block(relation, fork, block);
  key_history history;
  for (unsigned depth = 0; depth <= copy_depth_limit; ++depth) {
    ZENITH_TRY_ASSIGN(const auto size, size_at(key::size(k.relation(), k.relation_fork()), at, 0));
    if (!size || block >= size->blocks()) return std::nullopt;
    ZENITH_TRY(check_known(k, at));
    const lsn hidden = size->hidden_until(block);
    history.clear();
    ZENITH_TRY(collect(k, hidden, at, history));
    if (history.state == key_history::state_kind::zero && !history.records.empty())
      return image_in(history, k);
    if (history.state == key_history::state_kind::open)
      ZENITH_TRY(gather_common(k, hidden, at, 0, history));
    if (history.state != key_history::state_kind::copy) return std::nullopt;
    k = key::block(history.source.relation(), history.source.relation_fork(), block);
    at = history.source_lsn;
  }
  return fail(errc::limit, fmt::format("{} as of {} is a copy of copies, too often", to_string(k),
                                       to_string(at)));
}

}  // namespace zenith::layers
