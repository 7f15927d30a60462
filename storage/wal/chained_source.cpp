// Reading across the seams between timelines.
#include "storage/wal/chained_source.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zenith::wal {

chained_wal_source::chained_wal_source(std::shared_ptr<const wal_source> before, lsn seam,
                                       std::shared_ptr<const wal_source> after) {
  if (const auto* chain = dynamic_cast<const chained_wal_source*>(before.get()); chain != nullptr) {
    // A link that begins at or after the seam is no part of this history.
    for (const link& piece : chain->links_)
      if (links_.empty() || piece.from < seam) links_.push_back(piece);
  } else {
    links_.push_back({lsn{}, std::move(before)});
  }
  links_.push_back({seam, std::move(after)});
}

// From where on nothing is missing up to the end.
lsn chained_wal_source::begin() const {
  lsn kept = links_.back().source->begin();
  for (size_t i = links_.size() - 1; i > 0; --i) {
    if (kept > links_[i].from) return kept;
    kept = links_[i - 1].source->begin();
    if (kept >= links_[i].from) return links_[i].from;
  }
  return kept;
}

lsn chained_wal_source::end() const {
  return std::max(links_.back().source->end(), links_.back().from);
}

result<void> chained_wal_source::read(lsn at, byte_span into) const {
  if (at > end() || into.size() > end() - at)
    return fail(errc::out_of_range, fmt::format("no WAL at {} for {} bytes: it ends at {}",
                                                to_string(at), into.size(), to_string(end())));
  while (!into.empty()) {
    const auto next = std::find_if(links_.begin() + 1, links_.end(),
                                   [&](const link& piece) { return piece.from > at; });
    size_t here = into.size();
    if (next != links_.end()) here = std::min<uint64_t>(here, next->from - at);
    ZENITH_TRY(std::prev(next)->source->read(at, into.first(here)));
    into = into.subspan(here);
    at = at + here;
  }
  return {};
}

}  // namespace zenith::wal
