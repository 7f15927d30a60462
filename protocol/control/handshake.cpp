// The hand-shake's steps.
#include "protocol/control/handshake.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include "storage/base/assert.hpp"

namespace zenith::control {

std::array<std::byte, 32> random_32_bytes() {
  std::array<std::byte, 32> value;
  const ssize_t got = getrandom(value.data(), value.size(), 0);
  ZENITH_ASSERT(got == static_cast<ssize_t>(value.size()));
  return value;
}

handshake::handshake(side which, const secret& key, const nonce& own_nonce)
    : side_(which), key_(key), own_nonce_(own_nonce) {
  if (side_ == side::client) {
    const byte_view start = as_bytes({magic.data(), magic.size()});
    output_.assign(start.begin(), start.end());
    output_.insert(output_.end(), own_nonce_.begin(), own_nonce_.end());
  }
}

size_t handshake::wanted_bytes() const {
  if (step_ == step::hello) return hello_size_bytes - input_.size();
  if (step_ == step::proof) return sizeof(proof) - input_.size();
  return 0;
}

result<void> handshake::feed(byte_view data) {
  if (data.size() > wanted_bytes())
    return give_up(errc::invalid_argument, "more bytes were fed than the hand-shake has");
  if (data.empty()) return {};
  input_.insert(input_.end(), data.begin(), data.end());
  if (step_ == step::hello) {
    const size_t known = std::min(input_.size(), magic.size());
    if (std::memcmp(input_.data(), magic.data(), known) != 0)
      return give_up(errc::corrupt, "the peer does not speak this version's control protocol");
  }
  if (wanted_bytes() != 0) return {};
  return step_ == step::hello ? take_hello() : take_proof();
}

result<void> handshake::take_hello() {
  std::copy(input_.begin() + magic.size(), input_.end(), peer_nonce_.begin());
  input_.clear();
  // Our own nonce comes back only from somebody who plays our messages back to us.
  if (peer_nonce_ == own_nonce_) return give_up(errc::corrupt, "the peer sent our own nonce");
  step_ = step::proof;
  if (side_ == side::server) {
    const byte_view start = as_bytes({magic.data(), magic.size()});
    output_.insert(output_.end(), start.begin(), start.end());
    output_.insert(output_.end(), own_nonce_.begin(), own_nonce_.end());
  } else {
    const proof own = proof_of(side::client);
    output_.insert(output_.end(), own.begin(), own.end());
  }
  return {};
}

result<void> handshake::take_proof() {
  const side peer = side_ == side::client ? side::server : side::client;
  const proof expected = proof_of(peer);
  if (CRYPTO_memcmp(expected.data(), input_.data(), expected.size()) != 0)
    return give_up(errc::corrupt, "the peer does not know the repository's secret");
  input_.clear();
  if (side_ == side::server) {
    const proof own = proof_of(side::server);
    output_.insert(output_.end(), own.begin(), own.end());
  }
  step_ = step::done;
  return {};
}

proof handshake::proof_of(side which) const {
  const nonce& server = side_ == side::server ? own_nonce_ : peer_nonce_;
  const nonce& client = side_ == side::server ? peer_nonce_ : own_nonce_;
  std::array<std::byte, 65> message;
  message[0] = static_cast<std::byte>(which == side::server ? 'S' : 'C');
  std::copy(server.begin(), server.end(), message.begin() + 1);
  std::copy(client.begin(), client.end(), message.begin() + 33);
  proof out;
  unsigned size = out.size();
  const unsigned char* made =
      HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(),
           reinterpret_cast<unsigned char*>(out.data()), &size);
  ZENITH_ASSERT(made != nullptr && size == out.size());
  return out;
}

tl::unexpected<error> handshake::give_up(errc code, const char* message) {
  step_ = step::failed;
  return fail(code, message);
}

}  // namespace zenith::control
