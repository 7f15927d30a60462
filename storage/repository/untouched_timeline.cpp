// What an untouched timeline answers.
#include "storage/repository/untouched_timeline.hpp"

#include "storage/base/assert.hpp"

namespace zenith::repository {

layers::view_ptr untouched_view(const timeline_metadata& timeline, const branch_base& base,
                                const std::shared_ptr<layers::layer_files>& registry,
                                const std::shared_ptr<layers::page_cache>& cache) {
  auto all = base.layers.memory;
  for (const layers::layer_reference& one : base.layers.map.layers(*registry))
    all.push_back({one.data, std::min(one.until, timeline.start), one.after});
  const auto histories = layers::child_histories(base.histories, timeline.start);
  const auto checksums = timeline.checksums == data_checksums::on ? layers::page_checksums::on
                                                                  : layers::page_checksums::off;
  return std::make_shared<const layers::view>(std::move(all), base.from, timeline.start,
                                              layers::cached_history(cache, histories), checksums);
}

std::shared_ptr<const start_plan> untouched_plan(const timeline_metadata& timeline,
                                                 const branch_base& base, layers::view_ptr view,
                                                 start_purpose purpose) {
  ZENITH_ASSERT(purpose != start_purpose::write);
  auto made = std::make_shared<start_plan>();
  for (const pg_timeline_start& one : timeline.pg_timelines)
    if (made->history.empty() || one.start < timeline.start) made->history.push_back(one);
  start_facts facts;
  facts.purpose = purpose;
  facts.newest = made->history.back().number;
  made->timeline = timeline.id;
  made->at = timeline.start;
  made->previous = timeline.start_previous_record;
  made->decision = decide_start(facts);
  made->purpose = purpose;
  if (made->decision.number != facts.newest)
    made->history.push_back({made->decision.number, timeline.start});
  made->identity = {timeline.system, timeline.segment_size_bytes};
  made->view = std::move(view);
  made->wal = base.wal;
  return made;
}

}  // namespace zenith::repository
