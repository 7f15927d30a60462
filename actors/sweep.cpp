// The sweeper: one look through all folders, in the order that file_garbage.hpp asks for.
#include "actors/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "actors/errors.hpp"
#include "storage/layers/file_garbage.hpp"
#include "storage/layers/manifest.hpp"

namespace zenith::actors {
namespace {

constexpr size_t named_max = 100;

using layers::swept_timeline;
using found_timelines = std::map<timeline_id, swept_timeline>;

result<std::optional<layers::manifest>> manifest_of(const sweep_parameters& how,
                                                    const timeline_id& id) {
  auto there = layers::read_manifest(*how.files, how.directory / to_string(id));
  if (!there && there.error().code == errc::not_found) return std::nullopt;
  if (!there) return tl::unexpected<error>(there.error());
  return std::move(*there);
}

// Of those that are not open, a job that begins from now on takes numbers from here on.
result<found_timelines> first_numbers(const sweep_parameters& how) {
  found_timelines all;
  for (const timeline_id& id : how.timelines) {
    ZENITH_TRY_ASSIGN(const auto there, manifest_of(how, id));
    if (there)
      all[id].unsettled_from = there->next_number;
    else
      all[id];
  }
  return all;
}

result<void> list_files(const sweep_parameters& how, found_timelines& all) {
  for (auto& [id, timeline] : all) {
    const auto entries = how.files->list(how.directory / to_string(id) / "layers");
    // A timeline that was never written has no folder.
    if (!entries && entries.error().code == errc::not_found) continue;
    if (!entries) return tl::unexpected<error>(entries.error());
    for (const directory_entry& entry : *entries)
      if (const auto name = layers::parse_file_name(id, entry.name); name && !entry.is_directory)
        timeline.files.push_back(*name);
  }
  return {};
}

result<void> read_maps(const sweep_parameters& how, found_timelines& all) {
  for (auto& [id, timeline] : all) {
    ZENITH_TRY_ASSIGN(auto there, manifest_of(how, id));
    if (there) timeline.map = std::move(there->map);
  }
  return {};
}

result<uint64_t> size_of(file_system& files, const path& name) {
  ZENITH_TRY_ASSIGN(const auto opened, files.open(name, open_mode::read));
  return opened->size_bytes();
}

// Files that somebody reads stay, and are counted with those that are named.
result<gc_reply> remove_garbage(const sweep_parameters& how, const found_timelines& all,
                                const std::set<layers::layer_name>& in_use) {
  ZENITH_TRY_ASSIGN(const auto garbage, layers::unreferenced_files(all, in_use));
  // A manifest's new name may not be on the disk yet, and the one before it names other files.
  if (!garbage.empty() && how.mode == sweep_mode::remove)
    for (const auto& [id, timeline] : all)
      if (timeline.map) ZENITH_TRY(how.files->sync_directory(how.directory / to_string(id)));
  gc_reply made;
  for (const auto& [id, timeline] : all) {
    for (const auto& name : timeline.files) {
      const path file = how.registry->path_of(name);
      const auto size_bytes = size_of(*how.files, file);
      // Its timeline was removed meanwhile, with all that it had.
      if (!size_bytes && size_bytes.error().code == errc::not_found) continue;
      if (!size_bytes) return tl::unexpected<error>(size_bytes.error());
      if (!std::ranges::binary_search(garbage, name)) {
        made.kept_bytes += *size_bytes;
        continue;
      }
      if (how.mode == sweep_mode::remove) ZENITH_TRY(how.files->remove(file));
      ++made.removed_files;
      made.removed_bytes += *size_bytes;
      if (made.removed.size() < named_max) made.removed.push_back(file.string());
    }
  }
  return made;
}

result<gc_reply> look_through(const sweep_parameters& how, found_timelines all,
                              const std::map<timeline_id, uint64_t>& unsettled) {
  for (auto& [id, timeline] : all)
    if (const auto open = unsettled.find(id); open != unsettled.end())
      timeline.unsettled_from = std::min(timeline.unsettled_from, open->second);
  auto looked = list_files(how, all);
  if (looked) looked = read_maps(how, all);
  const auto in_use = how.registry->end_sweep();
  ZENITH_TRY(looked);
  return remove_garbage(how, all, in_use);
}

}  // namespace

sweep_actor::behavior_type sweeper(sweep_actor::pointer self, sweep_parameters parameters,
                                   supervisor_actor supervisor) {
  return {[=, how = std::move(parameters)](run_atom) -> caf::result<gc_reply> {
    auto promise = self->make_response_promise<gc_reply>();
    const auto end = [self, promise](result<gc_reply> done) {
      if (done)
        deliver(promise, std::move(*done));
      else
        deliver(promise, to_caf(done.error()));
      self->quit();
    };
    const auto give_up = [=](const error& why) {
      how.registry->end_sweep();
      end(tl::unexpected<error>(why));
    };
    auto all = how.damaged.empty() ? first_numbers(how)
                                   : result<found_timelines>(tl::unexpected(how.damaged.front()));
    if (!all) {
      give_up({all.error().code,
               all.error().message + "; what it needs is not known, so nothing is removed"});
      return promise;
    }
    self->request(supervisor, caf::infinite, unsettled_atom::value)
        .then([=, all = std::move(*all)](
                  const unsettled_ptr& unsettled) { end(look_through(how, all, *unsettled)); },
              [=](caf::error& failure) { give_up(from_caf(failure)); });
    return promise;
  }};
}

}  // namespace zenith::actors
