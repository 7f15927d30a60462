// A blocking socket, and the client's half of the protocol.
#include "bench/support/page_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdexcept>

#include "protocol/postgres/backend.hpp"
#include "protocol/postgres/frontend.hpp"

namespace zenith::bench {
namespace {

template <class T>
T value_of(result<T> given) {
  if (!given) throw std::runtime_error(given.error().message);
  return std::move(*given);
}

int connect_to(const std::filesystem::path& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = name.string();
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("too long: " + path);
  path.copy(address.sun_path, path.size());
  const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0 || connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to " + path);
  return made;
}

}  // namespace

page_client::page_client(const std::filesystem::path& socket, const std::string& timeline)
    : socket_(connect_to(socket)), received_(256 * 1024) {
  bytes greeting;
  wire::write_startup(greeting, {{"user", "bench"}, {"database", "zenith"}});
  wire::write_query(greeting, "pagestream " + timeline);
  send_all(greeting);
  for (;;) {
    const auto message = value_of(wire::parse_backend(next_frame()));
    if (std::holds_alternative<wire::copy_both_response>(message)) return;
    if (const auto* refused = std::get_if<wire::error_response>(&message))
      throw std::runtime_error(refused->message);
  }
}

page_client::~page_client() { close(socket_); }

void page_client::send(const pages::request& asked) {
  bytes message;
  wire::write_copy_data(message, pages::encode(asked));
  send_all(message);
}

pages::reply page_client::receive() {
  const auto message = value_of(wire::parse_backend(next_frame()));
  const auto* data = std::get_if<wire::copy_data>(&message);
  if (data == nullptr) throw std::runtime_error("the page stream has ended");
  auto reply = value_of(pages::decode_reply(data->data));
  if (const auto* refused = std::get_if<pages::error_reply>(&reply.body))
    throw std::runtime_error(refused->reason.message);
  return reply;
}

void page_client::send_all(byte_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(socket_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("the page service hung up");
    data = data.subspan(static_cast<size_t>(sent));
  }
}

wire::frame page_client::next_frame() {
  for (;;) {
    if (auto frame = value_of(reader_.next(wire::framing::typed))) return *frame;
    const ssize_t got = recv(socket_, received_.data(), received_.size(), 0);
    if (got <= 0) throw std::runtime_error("the page service hung up");
    reader_.feed(byte_view{received_}.first(static_cast<size_t>(got)));
  }
}

}  // namespace zenith::bench
