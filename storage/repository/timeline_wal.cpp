// What of an open timeline's own WAL goes.
#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {

// Where the record before the first point begins that says nothing of it itself.
result<lsn> timeline_store::first_unremembered() const {
  for (const remembered_place& one : needed_->places_of(metadata_.id)) {
    if (one.previous.is_valid() || one.at <= wal_->begin() || one.at > end()) continue;
    const auto place = wal::locate_record(*wal_, identity(), one.at);
    if (place) return place->start;
    // Its WAL is gone already: what is left does not help it.
    if (place.error().code != errc::out_of_range) return tl::unexpected<error>(place.error());
  }
  return lsn{};
}

result<wal_keep> timeline_store::wal_kept_by(const retention_window& window, timestamp now) const {
  if (!needed_ || !needed_->knows_all())
    return wal_keep{lsn{}, "what names need is not known while one of their files is damaged"};
  wal_needs needs;
  ZENITH_TRY_ASSIGN(needs.window_begin, horizon(window, now));
  needs.last_written_record = layers_->disk_consistent().last_record;
  needs.last_record = last_record_;
  if (needs.window_begin.is_valid()) {
    ZENITH_TRY_ASSIGN(needs.first_unremembered, first_unremembered());
  }
  return wal_to_keep(needs);
}

result<timeline_store::wal_trim> timeline_store::removable_wal(const retention_window& window,
                                                               timestamp now) const {
  ZENITH_TRY_ASSIGN(wal_keep keep, wal_kept_by(window, now));
  const auto removal = wal_->removable_before(keep.from);
  const lsn from = std::max(removal.kept_from, wal_->begin());
  return wal_trim{removal.files, removal.bytes, wal_->end() - from, std::move(keep.why)};
}

result<timeline_store::wal_trim> timeline_store::trim_wal(const retention_window& window,
                                                          timestamp now) {
  ZENITH_TRY_ASSIGN(wal_keep keep, wal_kept_by(window, now));
  ZENITH_TRY_ASSIGN(const auto removal, wal_->remove_before(keep.from));
  return wal_trim{removal.files, removal.bytes, wal_->end() - wal_->begin(), std::move(keep.why)};
}

}  // namespace zenith::repository
