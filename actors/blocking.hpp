// What blocking actors with sockets share: looking into the mailbox between two polls.
#pragma once

#include <caf/all.hpp>

namespace zenith::actors {

/// Empties the mailbox without waiting. False: an exit message came, or something that is
/// monitored ended; `why` says it, and the actor has to end.
inline bool pump(caf::blocking_actor* self, caf::error& why) {
  bool more = true;
  bool go_on = true;
  while (more && go_on) {
    self->receive(
        [&](caf::exit_msg& message) {
          why = std::move(message.reason);
          go_on = false;
        },
        [&](caf::down_msg& message) {
          why = std::move(message.reason);
          go_on = false;
        },
        caf::others >> [](caf::message_view&) -> caf::result<caf::message> {
          return caf::sec::unexpected_message;
        },
        caf::after(std::chrono::milliseconds(0)) >> [&] { more = false; });
  }
  return go_on;
}

/// How long a poll() may last: the bound on the reaction to an exit message.
inline constexpr int poll_interval_ms = 100;

}  // namespace zenith::actors
