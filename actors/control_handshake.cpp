// Runs the control hand-shake over a connected socket.
#include "actors/control_handshake.hpp"

#include "actors/sockets.hpp"

namespace zenith::actors {

result<void> shake_hands(int socket, control::side side, const control::secret& secret,
                         std::chrono::milliseconds timeout) {
  const deadline until = std::chrono::steady_clock::now() + timeout;
  control::handshake handshake(side, secret, control::random_32_bytes());
  for (;;) {
    ZENITH_TRY(write_all(socket, handshake.output(), until));
    handshake.output().clear();
    const size_t wanted = handshake.wanted_bytes();
    if (wanted == 0) return {};
    // One byte is enough to refuse what is no hand-shake, so nothing longer is waited for.
    bytes piece(1);
    ZENITH_TRY(read_exactly(socket, piece, until));
    ZENITH_TRY(handshake.feed(piece));
  }
}

}  // namespace zenith::actors
