// The supervisor's readers: pages, comparisons and exports, each in an actor of its own.
#include <spdlog/spdlog.h>

#include <fstream>

#include "actors/compute_directory.hpp"
#include "actors/errors.hpp"
#include "actors/supervisor.hpp"
#include "storage/backup/verify.hpp"
#include "storage/postgres/page_items.hpp"

namespace zenith::actors {
namespace {

// Does one piece of work on its own thread, answers with it, and ends.
template <class Reply>
caf::behavior one_shot(caf::event_based_actor* self, std::function<result<Reply>()> work) {
  return {[=](caf::get_atom) -> caf::result<Reply> {
    self->quit();
    return reply(work());
  }};
}

}  // namespace

template <class Reply, class Work>
caf::result<Reply> supervisor::read_at(const std::string& text, Work work) {
  auto point = locate(text);
  if (!point) return to_caf(point.error());
  auto timeline = timeline_of(point->name.timeline);
  if (!timeline) return to_caf(timeline.error());
  auto promise = make_response_promise<Reply>();
  const auto failed = [promise](caf::error& failure) { deliver(promise, std::move(failure)); };
  find(*point, [=, this, timeline = *timeline](result<point_found> found) {
    if (!found) return deliver(promise, to_caf(found.error()));
    // Nothing durable names the point: what can be read must not rise before the plan has a view.
    ++finding_;
    const auto unplanned = [=, this](caf::error& failure) {
      --finding_;
      deliver(promise, std::move(failure));
    };
    request(timeline, request_timeout(), plan_atom::value, found->at, start_purpose::copy)
        .then(
            [=, this](const start_plan_ptr& plan) {
              --finding_;
              const std::function<result<Reply>()> job = [plan, work] { return work(*plan); };
              const caf::actor worker = spawn<caf::detached>(one_shot<Reply>, job);
              request(worker, caf::infinite, caf::get_atom::value)
                  .then([promise](Reply& done) { deliver(promise, std::move(done)); }, failed);
            },
            unplanned);
  });
  return promise;
}

caf::result<page_reply> supervisor::read_page(const page_request& asked) {
  return read_at<page_reply>(
      asked.point, [asked](const repository::start_plan& plan) -> result<page_reply> {
        page read;
        const relation_id relation{asked.tablespace, asked.database, asked.relfilenode};
        ZENITH_TRY(plan.view->read_page(relation, static_cast<fork_number>(asked.fork), asked.block,
                                        plan.at, read));
        page_reply made;
        made.lsn = plan.at.value();
        made.page_lsn = pg::page_lsn(read).value();
        const auto* first = reinterpret_cast<const uint8_t*>(read.data.data());
        made.data.assign(first, first + read.data.size());
        return made;
      });
}

caf::result<verify_reply> supervisor::verify(const std::string& point,
                                             const std::string& directory) {
  file_system* files = parameters_.files;
  return read_at<verify_reply>(
      point, [=](const repository::start_plan& plan) -> result<verify_reply> {
        ZENITH_TRY_ASSIGN(const auto report,
                          backup::verify(*plan.view, plan.at, *files, directory));
        verify_reply made;
        made.relations = report.relations;
        made.pages = report.pages;
        made.mismatch_count = report.mismatch_count;
        for (const auto& one : report.mismatches)
          made.mismatches.push_back({one.file, one.block, one.offset});
        return made;
      });
}

caf::result<export_reply> supervisor::write_export(const std::string& point,
                                                   const std::string& directory) {
  auto located = locate(point);
  if (!located) return to_caf(located.error());
  // The configuration is the branch's newest server's, as for a new compute.
  repository::compute_metadata like;
  like.timeline = located->name.timeline;
  const auto sources = parameters_of(like).configuration_sources;
  return read_at<export_reply>(
      point, [=](const repository::start_plan& plan) -> result<export_reply> {
        export_reply made;
        made.directory = directory;
        made.timeline = to_string(plan.timeline);
        made.lsn = plan.at.value();
        ZENITH_TRY_ASSIGN(made.size_bytes, write_plain_directory(directory, sources, plan));
        return made;
      });
}

}  // namespace zenith::actors
