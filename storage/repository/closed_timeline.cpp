// Windows laid over a timeline's files, and when time will have moved them on.
#include "storage/repository/closed_timeline.hpp"

#include <algorithm>

#include "storage/layers/transaction_times.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/wal/removed_wal.hpp"
#include "storage/wal/stored_wal.hpp"

namespace zenith::repository {
namespace {

class surveyor {
 public:
  surveyor(layers::layer_files& files, const path& directory, const closed_timeline& timeline,
           const layers::manifest& stored, timestamp now)
      : files_(files),
        wal_directory_(directory / "wal"),
        timeline_(timeline),
        stored_(stored),
        now_(now),
        layers_(stored.map.layers(files)),
        history_{layers_, std::max(timeline.end, stored.disk_consistent), stored.readable_from,
                 timeline.since} {}

  result<closed_survey> run();

 private:
  const timeline_id& id() const { return timeline_.metadata.id; }
  uint32_t segment_size() const { return timeline_.metadata.segment_size_bytes; }
  /// As merges keep it with this horizon.
  layers::retention retention_at(lsn horizon) const {
    return layers::with_points(timeline_.needed->retention_of(id(), horizon),
                               stored_.map.copied_at());
  }
  result<void> look_at_layers();
  result<void> look_at_wal();
  result<std::vector<uint64_t>> list_segments() const;
  result<void> may_go_past(const retention_window& window, lsn horizon);

  layers::layer_files& files_;
  const path wal_directory_;
  const closed_timeline& timeline_;
  const layers::manifest& stored_;
  const timestamp now_;
  const std::vector<layers::layer_reference> layers_;
  const known_history history_;
  closed_survey found_;
};

result<closed_survey> surveyor::run() {
  ZENITH_TRY(look_at_layers());
  ZENITH_TRY(look_at_wal());
  if (found_.is_worth_opening()) found_.next.reset();
  return std::move(found_);
}

result<void> surveyor::look_at_layers() {
  ZENITH_TRY_ASSIGN(const lsn horizon, horizon_in(history_, timeline_.window, now_));
  // What is not in files yet needs the states before it.
  found_.horizon = std::min(horizon, stored_.disk_consistent);
  // As far as time brings it: what lies in the window's bytes stays.
  const lsn limit =
      std::min(horizon_of({0, timeline_.window.wal_bytes}, history_.end, history_.end),
               stored_.disk_consistent);
  if (timeline_.window.keeps_everything() || !timeline_.needed->knows_all()) return {};
  if (found_.horizon.is_valid())
    found_.layers =
        layers::collectable_files(stored_.map, retention_at(found_.horizon), timeline_.metadata.id);
  for (const layers::collectable_file& one : found_.layers) found_.layer_bytes += one.bytes;
  layers::retention rising = retention_at(limit);
  rising.horizon = std::max(found_.horizon, history_.oldest - 1);
  const auto next = layers::next_collectable(stored_.map, rising, limit, id());
  return next ? may_go_past(timeline_.window, *next) : result<void>{};
}

result<void> surveyor::look_at_wal() {
  ZENITH_TRY_ASSIGN(const std::vector<uint64_t> segments, list_segments());
  ZENITH_TRY_ASSIGN(const lsn removed, wal::read_removed(files_.files(), wal_directory_));
  const timeline_metadata& metadata = timeline_.metadata;
  wal::stored_wal::parameters how;
  how.files = &files_.files();
  how.directory = wal_directory_;
  how.segment_size_bytes = segment_size();
  for (const pg_timeline_start& one : metadata.pg_timelines)
    how.history.push_back({one.number, one.start});
  // A root keeps the record that its base ends with.
  how.begin =
      std::max(metadata.ancestor ? metadata.start : metadata.start_previous_record, removed);
  how.end = stored_.disk_consistent;
  const lsn begin = how.begin;
  const wal::stored_wal wal(std::move(how));
  const kept_wal own{
      wal, {metadata.system, segment_size()}, stored_.last_record, stored_.last_record};
  ZENITH_TRY_ASSIGN(wal_keep keep, needed_wal(own, history_, timeline_.wal_window, id(),
                                              timeline_.needed.get(), now_));

  const uint64_t first_kept = keep.from.value() / segment_size();
  const uint64_t last_written = stored_.disk_consistent.value() / segment_size();
  for (const uint64_t number : segments) {
    if (number < first_kept) ++found_.wal.files;
    if (number > last_written) ++found_.unwritten_segments;
  }
  found_.wal.bytes = found_.wal.files * segment_size();
  const lsn kept_from =
      found_.wal.files == 0 ? begin : std::max(begin, lsn{first_kept * segment_size()});
  found_.wal.bytes_kept = history_.end - std::min(kept_from, history_.end);
  found_.wal.why = std::move(keep.why);

  if (segments.empty() || timeline_.wal_window.keeps_everything()) return {};
  // Its first segment goes next, unless something else than time keeps it.
  const lsn next{(segments.front() + 1) * segment_size()};
  const retention_window without_time{0, timeline_.wal_window.wal_bytes};
  ZENITH_TRY_ASSIGN(const wal_keep most,
                    needed_wal(own, history_, without_time, id(), timeline_.needed.get(), now_));
  return next > most.from ? result<void>{} : may_go_past(timeline_.wal_window, next);
}

// Ascending; of one that has several files each counts.
result<std::vector<uint64_t>> surveyor::list_segments() const {
  std::vector<uint64_t> numbers;
  const auto entries = files_.files().list(wal_directory_);
  if (!entries && entries.error().code == errc::not_found) return numbers;
  if (!entries) return tl::unexpected<error>(entries.error());
  for (const directory_entry& one : *entries)
    if (const auto name = pg::parse_segment_file_name(one.name, segment_size());
        name && !one.is_directory)
      numbers.push_back(name->number);
  std::ranges::sort(numbers);
  return numbers;
}

// Notes when a window will have moved to a horizon: once all transactions are too old whose last
// record begins before it.
result<void> surveyor::may_go_past(const retention_window& window, lsn horizon) {
  ZENITH_TRY_ASSIGN(const auto next, layers::first_end_from(layers_, horizon));
  const lsn until = next && next->start < horizon ? next->end : horizon;
  ZENITH_TRY_ASSIGN(const auto newest, layers::newest_time(layers_, until));
  int64_t begin = timeline_.since.microseconds();
  if (newest) begin = std::max(begin, *newest);
  const timestamp when{
      std::max(begin + static_cast<int64_t>(window.time_us), now_.microseconds() + 1)};
  found_.next = std::min(found_.next.value_or(when), when);
  return {};
}

}  // namespace

result<closed_survey> survey_closed(layers::layer_files& files, const path& directory,
                                    const closed_timeline& timeline, const layers::manifest& stored,
                                    timestamp now) {
  return surveyor(files, directory, timeline, stored, now).run();
}

}  // namespace zenith::repository
