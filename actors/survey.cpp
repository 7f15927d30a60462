// The surveyor: each timeline's manifest, what may go by it, and who else names the same files.
#include "actors/survey.hpp"

#include "actors/clock.hpp"
#include "actors/errors.hpp"

namespace zenith::actors {
namespace {

/// How many manifests name a file.
using named_files = std::map<layers::layer_name, size_t>;

void count_names(const layers::layer_map& map, named_files& names) {
  std::set<layers::layer_name> own;
  for (const layers::layer_level& level : map.levels())
    for (const layers::layer_slice& slice : level) own.insert(slice.file.name);
  for (const layers::layer_name& name : own) ++names[name];
}

// None where it has no manifest, because nothing of its own was ever written.
result<std::optional<surveyed_timeline>> look_at(const survey_parameters& how,
                                                 const repository::closed_timeline& timeline,
                                                 named_files& names) {
  const path directory = how.directory / to_string(timeline.metadata.id);
  for (bool again = false;; again = true) {
    const auto stored = layers::read_manifest(*how.files, directory);
    if (!stored && stored.error().code == errc::not_found) return std::nullopt;
    if (!stored) return tl::unexpected<error>(stored.error());
    auto found =
        repository::survey_closed(*how.registry, directory, timeline, *stored, actors::now());
    // Merged and swept since the manifest was read.
    if (!found && found.error().code == errc::not_found && !again) continue;
    if (!found) return tl::unexpected<error>(found.error());
    count_names(stored->map, names);
    return surveyed_timeline{std::move(*found)};
  }
}

surveyed_timelines look_at_all(const survey_parameters& how, const std::atomic<bool>& stopping) {
  surveyed_timelines all;
  named_files names;
  for (const repository::closed_timeline& timeline : how.timelines) {
    if (stopping.load()) break;
    auto found = look_at(how, timeline, names);
    if (!found)
      all.emplace(timeline.metadata.id, tl::unexpected<error>(found.error()));
    else if (*found)
      all.emplace(timeline.metadata.id, std::move(**found));
  }
  for (auto& [id, one] : all) {
    if (!one) continue;
    for (const layers::collectable_file& file : one->found.layers)
      if (names[file.name] > 1) one->shared_bytes += file.bytes;
  }
  return all;
}

}  // namespace

survey_actor::behavior_type surveyor(survey_actor::pointer self, survey_parameters parameters,
                                     std::shared_ptr<const std::atomic<bool>> stopping) {
  return {[=, how = std::move(parameters)](run_atom) {
    self->quit();
    return std::make_shared<const surveyed_timelines>(look_at_all(how, *stopping));
  }};
}

}  // namespace zenith::actors
