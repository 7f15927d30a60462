// A client of the node: connects to its supervisor and asks it.
#pragma once

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <utility>

#include "actors/errors.hpp"
#include "actors/messages.hpp"
#include "protocol/control/handshake.hpp"

namespace zenith::actors {

/// One connection to a node's control socket. Blocking; for one thread.
class control_client {
 public:
  /// Errors: unavailable (nobody listens, no answer in time), corrupt (another secret).
  static result<std::unique_ptr<control_client>> connect(const std::filesystem::path& socket,
                                                         const control::secret& secret,
                                                         std::chrono::milliseconds timeout);
  ~control_client();
  control_client(const control_client&) = delete;
  control_client& operator=(const control_client&) = delete;

  /// Sends one message of control_actor and waits for its answer, for as long as the node lives:
  /// `auto branches = client.ask<std::vector<branch_info>>(branches_atom::value);`
  template <class Answer, class... Message>
  result<Answer> ask(Message... message) {
    // Shared by the answer's handlers, of which only the first to come counts.
    struct outcome {
      std::promise<result<Answer>> promise;
      bool told = false;
      void tell(result<Answer> what) {
        if (!std::exchange(told, true)) promise.set_value(std::move(what));
      }
    };
    const auto told = std::make_shared<outcome>();
    auto answer = told->promise.get_future();
    // A request that is under way when the node dies is not bounced; monitoring tells its end.
    system().spawn([=, node = supervisor()](caf::event_based_actor* self) {
      self->monitor(node);
      self->set_down_handler([=](caf::down_msg&) {
        told->tell(fail(errc::unavailable, "the node ended before it had answered"));
        self->quit();
      });
      self->request(node, caf::infinite, message...)
          .then(
              [=](Answer& value) {
                told->tell(std::move(value));
                self->quit();
              },
              [=](caf::error& failure) {
                told->tell(tl::unexpected<error>(from_caf(failure)));
                self->quit();
              });
    });
    return answer.get();
  }

 private:
  struct parts;
  explicit control_client(std::unique_ptr<parts> made);
  caf::actor_system& system();
  const control_actor& supervisor() const;

  std::unique_ptr<parts> parts_;
};

}  // namespace zenith::actors
