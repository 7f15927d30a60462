// The supervisor actor: the node's names, its timelines, computes and receivers.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "actors/background.hpp"
#include "actors/compute.hpp"
#include "actors/interfaces.hpp"
#include "actors/survey.hpp"
#include "actors/sweep.hpp"
#include "actors/timeline_layers.hpp"
#include "actors/untouched_timeline.hpp"
#include "config/settings.hpp"
#include "storage/layers/layer_files.hpp"
#include "storage/layers/memory_budget.hpp"
#include "storage/layers/page_cache.hpp"
#include "storage/repository/repository.hpp"
#include "storage/repository/survey_memory.hpp"

namespace zenith::actors {

struct supervisor_parameters {
  file_system* files = nullptr;
  std::shared_ptr<repository::repository> repository;  ///< the supervisor's own from then on
  config::settings settings;
  std::filesystem::path socket_directory;
  std::string cli_address;
  std::string page_address;
};

/// Spawn it detached: it writes small files durably. Its handlers unpack, ask the repository, a
/// timeline or a compute, and answer; what is long runs in an actor of its own.
class supervisor : public supervisor_actor::base {
 public:
  supervisor(caf::actor_config& config, supervisor_parameters parameters);
  const char* name() const override { return "supervisor"; }
  void on_exit() override;

 protected:
  behavior_type make_behavior() override;

 private:
  using steady = std::chrono::steady_clock;

  struct compute_entry {
    compute_actor actor;
    compute_info info;
    caf::actor receiver;  ///< while the server runs and is writable
    bool streaming = false;
    std::chrono::milliseconds backoff{0};  ///< before the next receiver, after one ended
    std::vector<caf::typed_response_promise<compute_info>> waiting_for_stream;
  };
  /// A point as typed, with what its name stands for.
  struct located_point {
    repository::resolved_name name;
    repository::point_query query;
    bool at_end = false;
  };

  struct timeline_entry {
    timeline_actor actor;
    timeline_status status;  ///< as it last said
    bool is_untouched = false;
  };

  // supervisor_timelines.cpp: which actor a timeline has.
  enum class timeline_use : uint8_t { read, write };
  /// Spawned where it was not; to read one to which nothing was written: an untouched_timeline.
  result<timeline_actor> timeline_of(const timeline_id& id, timeline_use use = timeline_use::read);
  result<bool> is_untouched(const repository::timeline_metadata& timeline) const;
  timeline_actor spawn_untouched(const repository::timeline_metadata& timeline);
  caf::result<inherited_from> source_of(const std::string& id);
  /// Where a timeline that is not open ends, from its files; remembered.
  lsn end_of(const repository::timeline_metadata& timeline);
  /// Nobody is sent to its actor any more. A new one of this timeline opens once it has ended.
  void let_go(std::map<timeline_id, timeline_entry>::iterator open);
  /// Ends the timeline's actor, where it has one, and calls back once nothing of it works any more.
  void end_timeline(const timeline_id& id, std::function<void()> done);

  // supervisor.cpp: the node.
  void child_down(const caf::down_msg& message);
  node_status status() const;
  /// Asks every open timeline how it is; calls back when all have answered or had their time.
  void refresh_timelines(caf::timespan patience, std::function<void()> done);
  caf::result<node_status> collect_status();
  caf::result<std::string> shut_down();
  void stop_next_compute(caf::typed_response_promise<std::string> done);
  void close_timelines(caf::typed_response_promise<std::string> done);

  // supervisor_layers.cpp: what all timelines' layers share.
  void begin_layers();
  void schedule_collection();
  void schedule_rest();
  layer_parameters layer_parameters_of();
  /// What a timeline that has written layers needs of its ancestors, none of which has to be open
  /// for it; null for a root, and where the layers are its ancestors' yet.
  result<branch_base_ptr> base_from_files(const repository::timeline_metadata& timeline) const;
  repository::retention_window window_of(const timeline_id& id) const;
  kept_states_ptr kept_of(const timeline_id& id);
  bool may_leave(const timeline_status& last);
  uint64_t memory_bytes() const;
  caf::result<unsettled_ptr> collect_unsettled();
  void sweep(sweep_mode mode, std::function<void(result<gc_reply>)> done);
  void begin_sweep();
  void sweep_soon();
  caf::result<gc_reply> compact(const std::string& branch);
  caf::result<std::string> set_window(const std::string& branch, const std::string& key,
                                      const std::string& value);

  // supervisor_collect.cpp: collecting, by hand and now and then.
  using trimmed_timelines = std::map<timeline_id, result<repository::timeline_store::wal_trim>>;
  /// Timelines that are merged and trimmed, a few at a time; those that were closed close again.
  struct collection {
    std::deque<timeline_id> waiting;
    size_t under_way = 0;
    size_t stuck = 0;  ///< were closed, and cannot close
    trimmed_timelines trimmed;
    std::map<timeline_id, error> failures;
    std::function<void(const collection&)> done;
  };
  /// As many as merge at once, and as many that wait for their turn.
  size_t collected_at_once() const;
  void collect_timelines(std::vector<timeline_id> which,
                         std::function<void(const collection&)> done);
  void go_on_collecting();
  bool begin_to_collect(const std::shared_ptr<collection>& run, const timeline_id& id);
  void trim(const std::shared_ptr<collection>& run, const timeline_id& id,
            const timeline_actor& timeline, std::function<void()> done);
  /// What a survey needs to know of timelines, of which the caller says whether it wants them.
  std::vector<repository::closed_timeline> timelines_to_survey(
      const std::function<bool(const repository::closed_timeline&)>& wanted, size_t most);
  void survey(std::vector<repository::closed_timeline> which,
              std::function<void(const result<surveyed_ptr>&)> done);
  std::vector<timeline_id> open_timelines() const;
  /// Of closed ones those in which something goes, the most first.
  std::vector<timeline_id> worth_opening(const surveyed_timelines& surveyed) const;
  std::vector<timeline_id> timelines_with_layers() const;
  caf::result<gc_reply> collect(sweep_mode mode);
  void report_collectable(caf::typed_response_promise<gc_reply> promise);
  void collect_by_hand(caf::typed_response_promise<gc_reply> promise);
  void collect_in_background();
  void begin_round();
  void end_round(const collection& run, steady::duration looked_for, bool has_more);

  // supervisor_kept.cpp: what collecting says to a person.
  /// `surveyed`: those that were closed when it began.
  void add_collected(const collection& run, const surveyed_timelines& surveyed, gc_reply& to) const;
  void add_surveyed(const surveyed_timelines& surveyed, gc_reply& to) const;
  std::string name_for_person(const timeline_id& id) const;
  std::string why_kept(const timeline_id& id) const;

  // supervisor_branches.cpp: names and points.
  result<located_point> locate(const std::string& point) const;
  /// Asks the point's timeline, or the server that writes to it first; then calls back.
  using found_callback = std::function<void(result<point_found>)>;
  void find(const located_point& point, found_callback done);
  /// The same, of a point that gets a name: the timelines that have to keep it from then on are
  /// asked as well whether they have it still. Who keeps what a branch or a tag names is its owner;
  /// what a server names, the timeline that it reads.
  enum class kept_by : uint8_t { owner, reader };
  void find_to_keep(const located_point& point, kept_by who, found_callback done);
  void check_kept_above(const timeline_id& id, const point_found& found, kept_by who,
                        found_callback done);
  caf::result<std::vector<branch_info>> list_branches();
  caf::result<branch_made> make_branch(const std::string& name, const std::string& point);
  result<branch_info> record_branch(const std::string& name, const located_point& from,
                                    const point_found& found);
  /// Removes timelines that nothing names, holds or was made from, once their actors have ended;
  /// then calls back.
  void collect_garbage(std::function<void()> done);
  void begin_garbage(std::vector<std::function<void()>> done);
  caf::result<std::string> delete_branch(const std::string& name, bool force);
  caf::result<std::string> rename_branch(const std::string& from, const std::string& to);
  caf::result<std::vector<tag_info>> list_tags() const;
  caf::result<tag_info> make_tag(const std::string& name, const std::string& point);
  caf::result<std::string> delete_tag(const std::string& name);
  caf::result<point_info> resolve(const std::string& point);
  branch_info describe_branch(const std::string& name,
                              const repository::timeline_metadata& timeline);

  // supervisor_reads.cpp: what reads a point's contents, each in an actor of its own.
  template <class Reply, class Work>
  caf::result<Reply> read_at(const std::string& point, Work work);
  caf::result<page_reply> read_page(const page_request& request);
  caf::result<verify_reply> verify(const std::string& point, const std::string& directory);
  caf::result<export_reply> write_export(const std::string& point, const std::string& directory);

  // supervisor_computes.cpp: servers.
  void adopt_computes();
  compute_parameters parameters_of(const repository::compute_metadata& metadata) const;
  compute_entry& add_compute(const repository::compute_metadata& metadata);
  result<compute_entry*> compute_named(const std::string& name);
  compute_entry* writer_of(const timeline_id& id);
  caf::result<compute_info> create_compute(const compute_request& request);
  result<repository::compute_metadata> new_compute(const compute_request& request,
                                                   const located_point& point) const;
  result<uint16_t> free_port(uint16_t wanted) const;
  void build_compute(repository::compute_metadata metadata, const point_found& found,
                     caf::typed_response_promise<compute_info> promise);
  caf::result<compute_info> start_compute(const std::string& name);
  caf::result<compute_info> stop_compute(const std::string& name, bool immediate);
  void stop_and_drain(const std::string& name, bool immediate,
                      std::function<void(result<compute_info>)> done);
  caf::result<std::string> destroy_compute(const std::string& name, bool force);
  void remove_compute(const std::string& name, caf::typed_response_promise<std::string> promise);
  caf::result<std::vector<compute_info>> list_computes();
  static bool is_writable(const compute_info& info) { return info.mode.starts_with("read-write"); }
  void compute_changed(const compute_info& info);
  /// Takes what a compute says of itself; its branch's name is the supervisor's to know.
  static void learn(compute_entry& entry, compute_info info);

  // supervisor_receivers.cpp: who takes the servers' WAL.
  /// A receiver's application and slot.
  static std::string receiver_name_of(const timeline_id& id) { return "zenith_" + to_string(id); }
  void stream_changed(const std::string& name, const std::string& problem);
  void start_receiver(compute_entry& entry);
  caf::result<lsn> follow_promotion(const std::string& compute, pg_timeline next, lsn at);
  void stop_receiver(compute_entry& entry);
  /// Answers those who wait for the stream by what is known of it now.
  void answer_waiting(compute_entry& entry);
  void restart_receiver_later(compute_entry& entry);
  void start_missing_receivers();

  caf::timespan request_timeout() const;
  repository::repository& names() const { return *parameters_.repository; }

  supervisor_parameters parameters_;
  std::shared_ptr<layers::page_cache> cache_;
  std::shared_ptr<layers::layer_files> registry_;
  std::shared_ptr<layers::memory_budget> budget_;
  background_actor background_;
  std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
  struct wanted_sweep {
    sweep_mode mode;
    std::function<void(result<gc_reply>)> done;
  };
  std::deque<wanted_sweep> sweeps_;  // the first one is under way
  bool sweep_scheduled_ = false;
  steady::duration sweep_took_{0};
  std::deque<std::shared_ptr<collection>> collections_;  // the first one is under way
  repository::survey_memory surveys_;
  bool round_is_under_way_ = false;
  bool another_round_ = false;
  std::shared_ptr<const repository::needed_states> needed_;
  uint64_t needed_as_of_ = 0;  // repository::changes()
  size_t finding_ = 0;         // points that are being looked for
  std::map<timeline_id, timeline_entry> timelines_;
  /// The last actor of a timeline that was let go, until it has ended: its jobs may still write.
  std::map<timeline_id, timeline_actor> ending_;
  /// Garbage whose actors end, before its folders go.
  std::set<timeline_id> removing_;
  std::vector<std::function<void()>> garbage_wanted_;  // the next look for it
  /// What those said that have ended since, because nobody used them.
  std::map<timeline_id, timeline_status> rested_;
  /// Where timelines end that are not open and that were not since the node began.
  std::map<timeline_id, lsn> ends_;
  std::shared_ptr<const untouched_surroundings> surroundings_;
  std::map<std::string, compute_entry> computes_;
  bool shutting_down_ = false;
};

}  // namespace zenith::actors
