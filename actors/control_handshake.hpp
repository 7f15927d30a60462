// Runs the control hand-shake over a connected socket.
#pragma once

#include <chrono>

#include "protocol/control/handshake.hpp"
#include "storage/base/result.hpp"

namespace zenith::actors {

/// Either end; returns once the peer has proven that it knows the secret. Blocks until the
/// deadline at most.
result<void> shake_hands(int socket, control::side side, const control::secret& secret,
                         std::chrono::milliseconds timeout);

}  // namespace zenith::actors
