// What of an open timeline's own WAL goes.
#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {

result<wal_keep> timeline_store::wal_kept_by(const retention_window& window, timestamp now) const {
  const auto layers = layers_->layers(end());
  return needed_wal({*wal_, identity(), layers_->disk_consistent().last_record, last_record_},
                    {layers, end(), oldest_, since_}, window, metadata_.id, needed_.get(), now);
}

result<timeline_store::wal_trim> timeline_store::trim_wal(const retention_window& window,
                                                          timestamp now) {
  ZENITH_TRY_ASSIGN(wal_keep keep, wal_kept_by(window, now));
  ZENITH_TRY_ASSIGN(const auto removal, wal_->remove_before(keep.from));
  return wal_trim{removal.files, removal.bytes, wal_->end() - wal_->begin(), std::move(keep.why)};
}

}  // namespace zenith::repository
