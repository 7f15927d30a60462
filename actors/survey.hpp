// The surveyor: looks at timelines' files for what collecting would free; opens none of them.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "actors/interfaces.hpp"
#include "storage/layers/layer_files.hpp"
#include "storage/repository/closed_timeline.hpp"

namespace zenith::actors {

/// Of a timeline that has layers of its own.
struct surveyed_timeline {
  repository::closed_survey found;
  /// Of found.layer_bytes: in files that manifests of other timelines name as well, and which stay
  /// as long as these do.
  uint64_t shared_bytes = 0;
};
/// By timeline; without those to which nothing was written. An error concerns its timeline only.
using surveyed_timelines = std::map<timeline_id, result<surveyed_timeline>>;
using surveyed_ptr = std::shared_ptr<const surveyed_timelines>;

struct survey_parameters {
  file_system* files = nullptr;
  std::shared_ptr<layers::layer_files> registry;
  path directory;  ///< of all timelines
  std::vector<repository::closed_timeline> timelines;
};

}  // namespace zenith::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::surveyed_ptr)

namespace zenith::actors {

using survey_actor = caf::typed_actor<
    // Looks at all of them once, one after the other, and ends.
    caf::replies_to<run_atom>::with<surveyed_ptr>>;

/// Spawn it detached. `stopping` ends it early.
survey_actor::behavior_type surveyor(survey_actor::pointer self, survey_parameters parameters,
                                     std::shared_ptr<const std::atomic<bool>> stopping);

}  // namespace zenith::actors
