// untouched_timeline: what a timeline to which nothing was written answers, from what it inherits.
#pragma once

#include <memory>

#include "storage/layers/layer_files.hpp"
#include "storage/layers/page_cache.hpp"
#include "storage/repository/metadata.hpp"
#include "storage/repository/start_plan.hpp"
#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {

/// Everything that the timeline has, which ends where it starts: what timeline_store::view() of it
/// would be. `base`: of its start. No file is touched before the view is read.
layers::view_ptr untouched_view(const timeline_metadata& timeline, const branch_base& base,
                                const std::shared_ptr<layers::layer_files>& registry,
                                const std::shared_ptr<layers::page_cache>& cache);

/// How a server that writes nothing to the timeline would start at its start: what
/// timeline_store::plan() of it would be there. `timeline`: with all pg_timelines of its history;
/// `purpose`: to read or to copy.
std::shared_ptr<const start_plan> untouched_plan(const timeline_metadata& timeline,
                                                 const branch_base& base, layers::view_ptr view,
                                                 start_purpose purpose);

}  // namespace zenith::repository
