// The page service's listener.
#include "actors/page_service.hpp"

#include <poll.h>

#include <set>

#include "actors/blocking.hpp"

namespace zenith::actors {
namespace {

// Takes down messages of connections; gives whether the service goes on.
bool look_into_mailbox(caf::blocking_actor* self, std::set<caf::actor_addr>& connections,
                       caf::error& why) {
  bool more = true;
  bool go_on = true;
  while (more && go_on) {
    self->receive([&](caf::down_msg& message) { connections.erase(message.source); },
                  [&](caf::exit_msg& message) {
                    why = std::move(message.reason);
                    go_on = false;
                  },
                  caf::after(std::chrono::milliseconds(0)) >> [&] { more = false; });
  }
  return go_on;
}

}  // namespace

void page_service(caf::blocking_actor* self, page_service_parameters parameters,
                  supervisor_actor supervisor) {
  std::set<caf::actor_addr> connections;
  caf::error why;
  while (look_into_mailbox(self, connections, why)) {
    // Clients over the bound wait in the socket's backlog until another one leaves.
    if (connections.size() >= parameters.connections_max) {
      poll(nullptr, 0, poll_interval_ms);
      continue;
    }
    descriptor accepted = accept_within(*parameters.listener, poll_interval_ms);
    if (!accepted) continue;
    auto socket = std::make_shared<descriptor>(std::move(accepted));
    const caf::actor made =
        self->spawn<caf::monitored>(connection, std::move(socket), parameters, supervisor);
    connections.insert(made.address());
  }
  for (const caf::actor_addr& one : connections)
    caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
  while (!connections.empty())
    self->receive([&](caf::down_msg& message) { connections.erase(message.source); },
                  caf::after(std::chrono::seconds(5)) >> [&] { connections.clear(); });
  if (why) self->fail_state(std::move(why));
}

}  // namespace zenith::actors
