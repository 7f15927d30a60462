// handshake: both ends of a control connection prove that they know the repository's secret.
#pragma once

#include <array>
#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::control {

/// HMAC-SHA256's key; only the repository's owner can read the file that holds it.
using secret = std::array<std::byte, 32>;
/// Fresh and unpredictable for each hand-shake.
using nonce = std::array<std::byte, 32>;
using proof = std::array<std::byte, 32>;

/// 32 bytes from the system's random source, for secrets and nonces.
std::array<std::byte, 32> random_32_bytes();

/// The hand-shake, frozen for this magic. Each line is one message:
///   client -> server  40 bytes:  0 "ZENCTL01",  8 the client's nonce
///   server -> client  40 bytes:  0 "ZENCTL01",  8 the server's nonce
///   client -> server  32 bytes:  HMAC-SHA256(secret, "C" server's nonce, client's nonce)
///   server -> client  32 bytes:  HMAC-SHA256(secret, "S" server's nonce, client's nonce)
/// The server says nothing before it has seen the magic, and proves nothing before it has seen the
/// client's proof. What follows belongs to another protocol: never read more than wanted_bytes().
inline constexpr std::array<char, 8> magic{'Z', 'E', 'N', 'C', 'T', 'L', '0', '1'};
inline constexpr size_t hello_size_bytes = 40;

enum class side : uint8_t { client, server };

/// One end's state. The owner sends and clears output(), reads at most wanted_bytes(), feeds that;
/// until done() or an error, after which it closes. Deadlines are the owner's.
class handshake {
 public:
  handshake(side which, const secret& key, const nonce& own_nonce);

  /// How many bytes the next step still lacks; 0 once done or failed.
  size_t wanted_bytes() const;
  /// Errors, all final: corrupt (not this protocol, refused at its first wrong byte; or a proof
  /// that does not fit: another secret), invalid_argument (more than wanted_bytes()).
  result<void> feed(byte_view data);
  bytes& output() { return output_; }
  /// The peer has proven itself. The server's output() holds its proof then, to be sent still.
  bool done() const { return step_ == step::done; }

 private:
  enum class step : uint8_t { hello, proof, done, failed };
  result<void> take_hello();
  result<void> take_proof();
  proof proof_of(side which) const;
  tl::unexpected<error> give_up(errc code, const char* message);

  side side_;
  secret key_;
  nonce own_nonce_;
  nonce peer_nonce_{};
  step step_ = step::hello;
  bytes input_;
  bytes output_;
};

}  // namespace zenith::control
