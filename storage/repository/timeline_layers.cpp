// An open timeline's layers: views of them, what a child shares, freezing, and what is kept.
#include <fmt/format.h>

#include <algorithm>

#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {

layers::page_checksums timeline_store::checksums() const {
  return metadata_.checksums == data_checksums::on ? layers::page_checksums::on
                                                   : layers::page_checksums::off;
}

layers::view_ptr timeline_store::view() const {
  if (newest_view_ && newest_view_->until() == end()) return newest_view_;
  newest_view_ =
      std::make_shared<const layers::view>(layers_->layers(end()), oldest_, end(),
                                           layers::cached_history(cache_, histories_), checksums());
  return newest_view_;
}

result<layers::view_ptr> timeline_store::view_at(lsn at) const {
  ZENITH_TRY(check_kept(at));
  if (at >= oldest_) return view();
  return std::make_shared<const layers::view>(
      layers_->layers(at), at, at, layers::cached_history(cache_, histories_), checksums());
}

result<void> timeline_store::check_kept(lsn at) const {
  if (at >= oldest_ || std::ranges::binary_search(keep_.points, at)) return {};
  return fail(errc::out_of_range,
              fmt::format("LSN {} lies before the history that is kept; the earliest is {}",
                          to_string(at), to_string(oldest_)));
}

result<std::shared_ptr<const branch_base>> timeline_store::base_at(lsn at) const {
  if (at > end())
    return fail(errc::out_of_range,
                fmt::format("timeline {} has no LSN {}: it ends at {}", to_string(metadata_.id),
                            to_string(at), to_string(end())));
  auto base = std::make_shared<branch_base>();
  base->layers = layers_->inherited_at(at);
  base->from = std::min(oldest_, at);
  base->histories = histories_;
  base->wal = all_wal_;
  base->since = since_;
  return base;
}

void timeline_store::layers_changed() {
  newest_view_.reset();
  ingestor_->continue_in(layers_->open_layer(), layers_->below_open());
}

result<bool> timeline_store::freeze() {
  ZENITH_TRY(sync());
  // The rest of a segment that a record switched away may not have come yet.
  if (durable() < end_) return false;
  if (!layers_->freeze({end_, last_record_, last_is_shutdown_checkpoint_})) return false;
  layers_changed();
  return true;
}

void timeline_store::inherit(const branch_base& again) {
  layers_->inherit(again.layers, again.from);
  oldest_ = layers_->recorded().readable_from;
  layers_changed();
}

result<void> timeline_store::retain(layers::retention keep,
                                    std::shared_ptr<const needed_states> needed) {
  keep_ = std::move(keep);
  if (needed) needed_ = std::move(needed);
  ZENITH_TRY(layers_->set_readable_from(std::min(keep_.horizon, layers_->disk_consistent().at)));
  oldest_ = layers_->recorded().readable_from;
  newest_view_.reset();
  return {};
}

result<lsn> timeline_store::horizon(const retention_window& window, timestamp now) const {
  const auto layers = layers_->layers(end());
  return horizon_in({layers, end(), oldest_, since_}, window, now);
}

}  // namespace zenith::repository
