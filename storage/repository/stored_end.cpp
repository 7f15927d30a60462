// Finding where a timeline ends.
#include "storage/repository/stored_end.hpp"

#include "storage/layers/manifest.hpp"
#include "storage/wal/segments.hpp"

namespace zenith::repository {

result<lsn> stored_end(file_system& files, const path& directory,
                       const timeline_metadata& timeline) {
  wal::wal_directory::parameters how;
  how.files = &files;
  how.directory = directory / "wal";
  how.identity = {timeline.system, timeline.segment_size_bytes};
  // A root keeps the record that its base ends with.
  how.start = timeline.ancestor ? timeline.start : timeline.start_previous_record;
  how.scan_from = timeline.start;
  how.scan_previous = timeline.start_previous_record;
  for (const pg_timeline_start& one : timeline.pg_timelines)
    how.history.push_back({one.number, one.start});
  const auto manifest = layers::read_manifest(files, directory);
  if (manifest) {
    how.scan_from = how.known_durable = manifest->disk_consistent;
    how.scan_previous = manifest->last_record;
  } else if (manifest.error().code != errc::not_found) {
    return tl::unexpected<error>(manifest.error());
  }
  ZENITH_TRY_ASSIGN(const auto opened, wal::wal_directory::open(std::move(how)));
  return opened->opened_at().end;
}

}  // namespace zenith::repository
