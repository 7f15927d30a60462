// The rule by which a promoted server is followed.
#include "storage/repository/follow_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zenith::repository {
namespace {

uint32_t number(pg_timeline timeline) { return static_cast<uint32_t>(timeline); }

}  // namespace

result<follow_plan> plan_following(const std::vector<pg_timeline_start>& ours, lsn end,
                                   pg_timeline server,
                                   const std::vector<backup::past_pg_timeline>& history) {
  const auto find = [&](pg_timeline wanted) {
    return std::ranges::find(history, wanted, &backup::past_pg_timeline::number);
  };
  for (size_t i = 0; i < ours.size(); ++i) {
    const auto past = find(ours[i].number);
    if (past == history.end())
      return fail(errc::conflict,
                  fmt::format("the server is on pg_timeline {}, whose history does not know "
                              "pg_timeline {}, expected: its history is another one",
                              number(server), number(ours[i].number)));
    if (i + 1 < ours.size() && past->until != ours[i + 1].start)
      return fail(
          errc::conflict,
          fmt::format("the server's history leaves pg_timeline {} at {}, expected at {}: "
                      "it is another one",
                      number(past->number), to_string(past->until), to_string(ours[i + 1].start)));
  }
  const auto left = find(ours.back().number);
  follow_plan plan;
  plan.next = std::next(left) == history.end() ? server : std::next(left)->number;
  plan.left_at = left->until;
  plan.now = end == plan.left_at;
  if (end > plan.left_at)
    return fail(errc::conflict,
                fmt::format("the server left pg_timeline {} at {} and went on as pg_timeline {}, "
                            "but the timeline holds WAL of pg_timeline {} up to {}: the server "
                            "lacks what it had confirmed",
                            number(left->number), to_string(left->until), number(plan.next),
                            number(left->number), to_string(end)));
  return plan;
}

}  // namespace zenith::repository
