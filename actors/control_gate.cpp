// The control_gate actor.
#include "actors/control_gate.hpp"

#include <spdlog/spdlog.h>

#include <poll.h>

#include <atomic>
#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <thread>

#include "actors/blocking.hpp"
#include "actors/control_handshake.hpp"

namespace zenith::actors {
namespace {

// BASP keeps published actors by port; the number is a label only, no port is opened.
constexpr uint16_t supervisor_label = 1;

class gate {
 public:
  gate(caf::blocking_actor* self, gate_parameters how, supervisor_actor supervisor)
      : self_(self), how_(std::move(how)), supervisor_(std::move(supervisor)) {}

  void run() {
    caf::error why;
    while (pump(self_, why)) {
      // Clients over the bound wait in the socket's backlog.
      if (under_way_->load() >= how_.handshakes_max) {
        poll_briefly();
        continue;
      }
      descriptor accepted = accept_within(*how_.listener, poll_interval_ms);
      if (accepted) admit(std::move(accepted));
    }
    while (under_way_->load() > 0) poll_briefly();
    if (why) self_->fail_state(std::move(why));
  }

 private:
  static void poll_briefly() { poll(nullptr, 0, 10); }

  void admit(descriptor accepted) {
    ++*under_way_;
    std::thread([socket = std::make_shared<descriptor>(std::move(accepted)), secret = how_.secret,
                 timeout = how_.handshake_timeout, supervisor = supervisor_,
                 &system = self_->system(), under_way = under_way_] {
      const auto done = shake_hands(socket->get(), control::side::server, secret, timeout);
      if (done) {
        hand_over(system, socket->release(), supervisor);
      } else {
        spdlog::warn("a client of the control socket was refused: {}", done.error().message);
      }
      --*under_way;
    }).detach();
  }

  static void hand_over(caf::actor_system& system, int socket, const supervisor_actor& supervisor) {
    auto& middleman = system.middleman();
    const auto basp = middleman.named_broker<caf::io::basp_broker>(caf::atom("BASP"));
    auto scribe = middleman.backend().new_scribe(socket);
    auto interface = system.message_types(caf::detail::type_list<control_actor>{});
    caf::anon_send(basp, caf::publish_atom::value, std::move(scribe), supervisor_label,
                   caf::actor_cast<caf::strong_actor_ptr>(supervisor), std::move(interface));
  }

  caf::blocking_actor* self_;
  gate_parameters how_;
  supervisor_actor supervisor_;
  std::shared_ptr<std::atomic<size_t>> under_way_ = std::make_shared<std::atomic<size_t>>(0);
};

}  // namespace

void control_gate(caf::blocking_actor* self, gate_parameters parameters,
                  supervisor_actor supervisor) {
  gate(self, std::move(parameters), std::move(supervisor)).run();
}

}  // namespace zenith::actors
