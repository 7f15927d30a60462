// stored_end: where a timeline ends that is not open, from its manifest and the end of its WAL.
#pragma once

#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"
#include "storage/repository/metadata.hpp"

namespace zenith::repository {

/// What timeline_store::end() would be if the timeline was opened, without its layers: only WAL
/// after the manifest's disk_consistent_lsn is read. `directory`: timelines/ID, which nobody else
/// uses meanwhile; `timeline`: with all pg_timelines of its history. Errors: io; corrupt, as when
/// it is opened.
result<lsn> stored_end(file_system& files, const path& directory,
                       const timeline_metadata& timeline);

}  // namespace zenith::repository
