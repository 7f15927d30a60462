// A supervisor for tests: what its own actors and its clients can talk to.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actors/errors.hpp"
#include "actors/interfaces.hpp"

namespace zenith::actors {

inline caf::error unused() { return to_caf({errc::unsupported, "not by this stand-in"}); }

/// Says its version and its tags, keeps everything, hands on what receivers tell it, says whether
/// an idle timeline may end, and refuses the rest.
inline supervisor_actor::behavior_type supervisor_that_lets_go(
    supervisor_actor::pointer, std::function<void(std::string)> on_problem,
    std::function<bool(const timeline_status&)> may_leave) {
  using text = std::string;
  return {
      [](status_atom) {
        node_status status;
        status.version = "stand-in";
        return status;
      },
      [](branches_atom) -> caf::result<std::vector<branch_info>> { return unused(); },
      [](branch_atom, const text&, const text&) -> caf::result<branch_made> { return unused(); },
      [](unbranch_atom, const text&, bool) -> caf::result<text> { return unused(); },
      [](rename_atom, const text&, const text&) -> caf::result<text> { return unused(); },
      [](tags_atom) {
        return std::vector<tag_info>{{"v1", "a", "main", 5, 6}};
      },
      [](tag_atom, const text&, const text&) -> caf::result<tag_info> { return unused(); },
      [](untag_atom, const text&) -> caf::result<text> { return unused(); },
      [](resolve_atom, const text&) -> caf::result<point_info> { return unused(); },
      [](pg_create_atom, const compute_request&) -> caf::result<compute_info> { return unused(); },
      [](pg_start_atom, const text&) -> caf::result<compute_info> { return unused(); },
      [](pg_stop_atom, const text&, bool) -> caf::result<compute_info> { return unused(); },
      [](pg_list_atom) -> caf::result<std::vector<compute_info>> { return unused(); },
      [](pg_destroy_atom, const text&, bool) -> caf::result<text> { return unused(); },
      [](export_atom, const text&, const text&) -> caf::result<export_reply> { return unused(); },
      [](page_atom, const page_request&) -> caf::result<page_reply> { return unused(); },
      [](verify_atom, const text&, const text&) -> caf::result<verify_reply> { return unused(); },
      [](shutdown_atom) -> caf::result<text> { return unused(); },
      [](lookup_atom, const text&) -> caf::result<timeline_actor> { return unused(); },
      [](grow_atom, const text&) -> caf::result<timeline_actor> { return unused(); },
      [](source_atom, const text&) -> caf::result<inherited_from> { return unused(); },
      [](changed_atom, const compute_info&) {},
      [=](stream_atom, const text&, const text& problem) { on_problem(problem); },
      [](plan_atom, const text&, uint32_t, lsn) -> caf::result<lsn> { return unused(); },
      [](watch_atom) {},
      [](gc_atom, bool) -> caf::result<gc_reply> { return unused(); },
      [](compact_atom, const text&) -> caf::result<gc_reply> { return unused(); },
      [](window_atom, const text&, const text&, const text&) -> caf::result<text> {
        return unused();
      },
      [](keep_atom, const text&) {
        kept_states all;
        all.window.time_us = repository::retention_window::unlimited;
        all.needed = std::make_shared<const repository::needed_states>(
            std::span<const repository::timeline_metadata>{},
            std::span<const repository::needed_point>{});
        return kept_states_ptr{std::make_shared<const kept_states>(all)};
      },
      [](unsettled_atom) {
        return unsettled_ptr{std::make_shared<const std::map<timeline_id, uint64_t>>()};
      },
      [=](leave_atom, const timeline_status& last) { return may_leave(last); },
      [](collect_atom) {},
      [](more_atom) {},
      [](merge_atom) {},
      [](sweep_atom) {},
      [](tick_atom) {},
  };
}

/// The same, which lets no timeline end.
inline supervisor_actor::behavior_type stand_in_supervisor(
    supervisor_actor::pointer self, std::function<void(std::string)> on_problem) {
  return supervisor_that_lets_go(self, std::move(on_problem),
                                 [](const timeline_status&) { return false; });
}

}  // namespace zenith::actors
