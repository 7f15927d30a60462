// Errors between plain code and messages.
#include "actors/errors.hpp"

namespace zenith::actors {

std::string to_string(node_error code) {
  switch (code) {
    case node_error::corrupt:
      return "corrupt";
    case node_error::io:
      return "io";
    case node_error::not_found:
      return "not_found";
    case node_error::already_exists:
      return "already_exists";
    case node_error::invalid_argument:
      return "invalid_argument";
    case node_error::out_of_range:
      return "out_of_range";
    case node_error::not_arrived:
      return "not_arrived";
    case node_error::unsupported:
      return "unsupported";
    case node_error::conflict:
      return "conflict";
    case node_error::unavailable:
      return "unavailable";
    case node_error::limit:
      return "limit";
  }
  return "unknown";
}

caf::error to_caf(const error& e) {
  return caf::make_error(static_cast<node_error>(e.code), e.message);
}

error from_caf(const caf::error& e) {
  // What an actor that ended in order gives as its reason; it has no category to ask for.
  if (!e) return {errc::unavailable, "it ended with no failure"};
  if (e.category() == caf::atom("zenith")) {
    if (e.context().match_elements<std::string>())
      return {static_cast<errc>(e.code()), e.context().get_as<std::string>(0)};
    return {static_cast<errc>(e.code()), to_string(static_cast<node_error>(e.code()))};
  }
  if (e == caf::sec::request_timeout)
    return {errc::unavailable, "no answer came in time; the node's log may say why"};
  if (e == caf::sec::request_receiver_down)
    return {errc::unavailable, "the part of the node that was asked ended; its log says why"};
  return {errc::unavailable, "the node answered: " + caf::to_string(e)};
}

}  // namespace zenith::actors
