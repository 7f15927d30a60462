// The supervisor's part in WAL that goes: all timelines asked, by hand or now and then.
#include <spdlog/spdlog.h>

#include "actors/errors.hpp"
#include "actors/supervisor.hpp"

namespace zenith::actors {

void supervisor::trim_timelines(const std::vector<timeline_id>& which, trimming how,
                                std::function<void(const trimmed_timelines&)> done) {
  auto all = std::make_shared<trimmed_timelines>();
  auto left = std::make_shared<size_t>(which.size() + 1);
  const auto one_less = [all, left, done] {
    if (--*left == 0) done(*all);
  };
  const auto failed = [all](const timeline_id& id, const error& why) {
    (*all)[id] = tl::unexpected<error>(why);
    spdlog::error("timeline {}: WAL that is not needed stays: {}", to_string(id), why.message);
  };
  for (const timeline_id& id : which) {
    const auto timeline = timeline_of(id);
    if (!timeline) {
      failed(id, timeline.error());
      one_less();
      continue;
    }
    request(*timeline, caf::infinite, trim_atom::value, kept_of(id), how)
        .then(
            [=](const wal_trim_ptr& trimmed) {
              (*all)[id] = *trimmed;
              one_less();
            },
            [=](caf::error& failure) {
              failed(id, from_caf(failure));
              one_less();
            });
  }
  one_less();
}

void supervisor::add_trimmed(const trimmed_timelines& trimmed, gc_reply& to) {
  for (const auto& [id, one] : trimmed) {
    if (!one) {
      to.kept.push_back("! WAL of timeline " + to_string(id) + ": " + one.error().message);
      continue;
    }
    to.removed_wal_files += one->files;
    to.removed_wal_bytes += one->bytes;
    to.kept_wal_bytes += one->bytes_kept;
  }
}

std::string supervisor::why_wal_kept(const trimmed_timelines& trimmed, const timeline_id& id) {
  const auto found = trimmed.find(id);
  if (found == trimmed.end() || !found->second) return {};
  return "; its WAL from there on: " + found->second->why;
}

}  // namespace zenith::actors
