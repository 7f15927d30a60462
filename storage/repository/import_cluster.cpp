// A stopped cluster's data directory as a new root branch.
#include "storage/repository/import_cluster.hpp"

#include "storage/backup/import_directory.hpp"
#include "storage/backup/wal_seam.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {
namespace {

// The pg_timelines up to the cluster's own; each past one's end is the next one's start.
std::vector<pg_timeline_start> timelines_of(const backup::imported_cluster& cluster) {
  std::vector<pg_timeline_start> all;
  lsn start = cluster.history.empty() ? cluster.base : lsn{1};
  for (const backup::past_pg_timeline& past : cluster.history) {
    all.push_back({past.number, start});
    start = past.until;
  }
  all.push_back({cluster.timeline, start});
  return all;
}

}  // namespace

result<timeline_metadata> import_cluster(file_system& files, repository& into,
                                         const path& data_directory, const std::string& branch,
                                         int compression_level, timestamp now) {
  ZENITH_TRY(into.check_new_name(branch));
  timeline_metadata made;
  made.id = timeline_id::random();
  ZENITH_TRY_ASSIGN(const bytes control_bytes,
                    read_file(files, data_directory / "global" / "pg_control"));
  ZENITH_TRY_ASSIGN(const auto control, pg::decode_control_file(control_bytes));
  // Where the shutdown checkpoint's record ends; the import checks that it does.
  const lsn base =
      backup::record_end(control.checkpoint_record, pg::shutdown_checkpoint_record_size_bytes,
                         {control.system, control.wal_segment_size_bytes});

  const path layers = into.layers_directory(made.id);
  ZENITH_TRY(create_directories_durably(files, layers));
  ZENITH_TRY_ASSIGN(auto image, layers::image_writer::create(files, layers / base_image_name, base,
                                                             compression_level));
  ZENITH_TRY_ASSIGN(
      const auto cluster,
      backup::import_directory(files, data_directory,
                               [&](const key& k, byte_view value) { return image.add(k, value); }));
  if (cluster.base != base)
    return fail(errc::corrupt, data_directory.string() + ": the control file ends at " +
                                   to_string(base) + ", the WAL at " + to_string(cluster.base));
  ZENITH_TRY(image.finish());

  const path wal = into.wal_directory(made.id);
  ZENITH_TRY(create_directories_durably(files, wal));
  for (const std::string& segment : cluster.wal_segments) {
    ZENITH_TRY_ASSIGN(const bytes contents, read_file(files, data_directory / "pg_wal" / segment));
    ZENITH_TRY(write_file_durably(files, wal / segment, contents));
  }
  made.system = cluster.system;
  made.segment_size_bytes = cluster.segment_size_bytes;
  made.checksums = cluster.has_checksums ? data_checksums::on : data_checksums::off;
  made.start = cluster.base;
  made.start_previous_record = cluster.last_record;
  made.pg_timelines = timelines_of(cluster);
  made.created_at = now;
  ZENITH_TRY(into.create_branch(branch, made));
  return made;
}

}  // namespace zenith::repository
