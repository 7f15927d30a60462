// The control_gate actor: lets clients that know the secret reach the supervisor.
#pragma once

#include <memory>

#include "actors/interfaces.hpp"
#include "actors/sockets.hpp"
#include "protocol/control/handshake.hpp"

namespace zenith::actors {

struct gate_parameters {
  std::shared_ptr<descriptor> listener;
  control::secret secret{};
  std::chrono::milliseconds handshake_timeout{2000};
  size_t handshakes_max = 16;
};

/// Accepts connections; each passes the hand-shake on a short-lived thread, at most so many at a
/// time, and only then is handed to CAF, which never opens a port of its own. Ends on an exit
/// message.
void control_gate(caf::blocking_actor* self, gate_parameters parameters,
                  supervisor_actor supervisor);

}  // namespace zenith::actors
