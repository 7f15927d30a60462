// What blocking actors with sockets share: looking into the mailbox between two polls.
#pragma once

#include <caf/all.hpp>

namespace zenith::actors {

/// Empties the mailbox without waiting. False: an exit message came, or something that is
/// monitored ended; `why` says it, and the actor has to end.
///
/// An empty mailbox is not asked: receive() sleeps for the timer's slack even where it may not wait
/// at all, 50 us and more, and pump() is called for each turn of a connection.
inline bool pump(caf::blocking_actor* self, caf::error& why) {
  bool more = self->has_next_message();
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
