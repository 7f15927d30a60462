// handshake: both sides of the control connection, with any bytes, and with their messages changed.
#include "protocol/control/handshake.hpp"

#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace zenith;
using namespace zenith::fuzz;
using control::handshake;
using control::side;

std::array<std::byte, 32> filled(uint8_t with) {
  std::array<std::byte, 32> a;
  a.fill(static_cast<std::byte>(with));
  return a;
}

/// Any bytes, in pieces, as the owner reads them: never more than are wanted, unless asked to.
void run_alone(side which, uint8_t pieces, byte_view input) {
  handshake one(which, filled(7), filled(1));
  while (!input.empty()) {
    const size_t most = (pieces & 0x80) != 0 ? input.size() : one.wanted_bytes();
    const size_t size = std::min({most, size_t{pieces & 0x7Fu} + 1, input.size()});
    if (size == 0) break;
    const bool fed = one.feed(input.first(size)).has_value();
    input = input.subspan(size);
    demand(one.output().size() <= 112, "a bounded output");
    if (!fed) {
      demand(!one.done() && one.wanted_bytes() == 0, "an error is final");
      demand(!one.feed(input.first(std::min<size_t>(1, input.size()))) || input.empty(),
             "nothing is taken after an error");
      return;
    }
  }
}

/// Feeds what one side said to the other, bytes changed or cut by the input. Gives whether it
/// arrived as it was.
bool pass_on(handshake& from, handshake& to, input_reader& in) {
  const bytes said = std::move(from.output());
  from.output().clear();
  bytes heard = said;
  for (auto changes = in.take<uint8_t>() % 4; changes > 0 && !heard.empty(); --changes)
    heard[in.take<uint8_t>() % heard.size()] ^= static_cast<std::byte>(in.take<uint8_t>());
  if ((in.take<uint8_t>() & 1) != 0) heard.resize(heard.size() / 2);
  (void)to.feed(heard);
  return heard == said;
}

/// Both sides, with all that is said changed on the way: each believes the other exactly where
/// nothing was changed so far and the secrets are the same.
void run_both(input_reader& in) {
  const bool same_secret = (in.take<uint8_t>() & 1) == 0;
  handshake client(side::client, filled(7), filled(1));
  handshake server(side::server, filled(same_secret ? 7 : 8), filled(2));
  bool good = same_secret;
  good = pass_on(client, server, in) && good;
  good = pass_on(server, client, in) && good;
  good = pass_on(client, server, in) && good;
  demand(server.done() == good, "the server believes what was not changed, and nothing else");
  good = pass_on(server, client, in) && good;
  demand(client.done() == good, "the client believes what was not changed, and nothing else");
}

}  // namespace

// u8: 0 a client alone, 1 a server alone, 2 both; alone: u8 how large the pieces are (bit 7: more
// than is wanted too), the bytes; both: run_both's.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  input_reader in(as_view(data, size));
  const auto which = in.take<uint8_t>() % 3;
  if (which == 2) {
    run_both(in);
  } else {
    const auto pieces = in.take<uint8_t>();
    run_alone(which == 0 ? side::client : side::server, pieces, in.rest());
  }
  return 0;
}
