// An actor system in the test's own thread: one message a step, time that only the test moves.
#pragma once

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "actors/errors.hpp"
#include "actors/messages.hpp"

namespace zenith::actors {

/// What a request or a watch came to; empty until it did.
template <class T>
using eventual = std::shared_ptr<std::optional<T>>;

/// CAF's testing scheduler. Nothing runs before settle() or step(), and nothing blocks. Actors that
/// own what the test made are ended by the destructor, so declare this after it.
class deterministic {
 public:
  deterministic() { coordinator().clock().current_time += std::chrono::hours(1); }
  /// Messages that are sent with a delay hold their receivers: these have to come first.
  ~deterministic() {
    for (const caf::actor& one : spawned_) caf::anon_send_exit(one, caf::exit_reason::kill);
    spawned_.clear();
    settle();
    while (coordinator().trigger_timeout()) settle();
  }
  deterministic(const deterministic&) = delete;
  deterministic& operator=(const deterministic&) = delete;

  caf::actor_system& system() { return system_; }

  /// One actor takes one message; false where there is none.
  bool step() { return coordinator().try_run_once(); }
  void settle() {
    while (step()) {
    }
  }
  /// Every timer rings at its own millisecond.
  void advance(std::chrono::milliseconds time) {
    for (; time.count() > 0; --time) {
      coordinator().advance_time(std::chrono::milliseconds(1));
      settle();
    }
  }

  /// The actor lives until it ends or the test does: nobody has to hold it.
  template <class... Arguments>
  auto spawn(Arguments&&... arguments) {
    auto made = system_.spawn(std::forward<Arguments>(arguments)...);
    spawned_.push_back(caf::actor_cast<caf::actor>(made));
    return made;
  }
  /// Sends before anything else runs; the answer is there once enough has run.
  template <class Answer, class Handle, class... Message>
  eventual<result<Answer>> ask(const Handle& whom, Message... message) {
    auto answer = std::make_shared<std::optional<result<Answer>>>();
    const caf::actor asker = system_.spawn([=](caf::event_based_actor* self) {
      self->request(whom, caf::infinite, message...)
          .then([=](const Answer& value) { *answer = value; },
                [=](caf::error& failure) { *answer = tl::unexpected<error>(from_caf(failure)); });
    });
    coordinator().prioritize(asker);
    step();
    return answer;
  }
  /// Why an actor ended.
  template <class Handle>
  eventual<caf::error> watch(const Handle& whom) {
    auto reason = std::make_shared<std::optional<caf::error>>();
    spawn([=](caf::event_based_actor* self) -> caf::behavior {
      self->monitor(whom);
      self->set_down_handler([=](caf::down_msg& message) {
        *reason = message.reason;
        self->quit();
      });
      return {[](caf::unit_t) {}};
    });
    settle();
    return reason;
  }

 private:
  struct config : caf::actor_system_config {
    config() {
      add_message_types<caf::id_block::zenith>();
      set("scheduler.policy", caf::atom("testing"));
    }
  };
  caf::scheduler::test_coordinator& coordinator() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }

  config config_;
  caf::actor_system system_{config_};
  std::vector<caf::actor> spawned_;
};

}  // namespace zenith::actors
