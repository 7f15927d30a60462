// The client's loop, and the server that knows one page.
#include "bench/support/raw_stream.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "protocol/postgres/backend.hpp"
#include "protocol/postgres/frontend.hpp"

namespace zenith::bench {
namespace {

sockaddr_un address_of(const std::filesystem::path& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = name.string();
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("too long: " + path);
  path.copy(address.sun_path, path.size());
  return address;
}

void send_all(int socket, const void* data, size_t size) {
  for (const auto* at = static_cast<const char*>(data); size > 0;) {
    const ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("the other side hung up");
    at += sent;
    size -= static_cast<size_t>(sent);
  }
}

size_t receive_some(int socket, byte_span into) {
  const ssize_t got = recv(socket, into.data(), into.size(), 0);
  if (got <= 0) throw std::runtime_error("the other side hung up");
  return static_cast<size_t>(got);
}

/// Up to the message that begins the stream.
void begin_stream(int socket, const std::string& timeline) {
  bytes greeting;
  wire::write_startup(greeting, {{"user", "bench"}, {"database", "zenith"}});
  wire::write_query(greeting, "pagestream " + timeline);
  send_all(socket, greeting.data(), greeting.size());
  wire::frame_reader reader{64 * 1024};
  bytes piece(4096);
  for (;;) {
    const auto frame = reader.next(wire::framing::typed);
    if (!frame) throw std::runtime_error(frame.error().message);
    if (!*frame) {
      reader.feed(byte_view{piece}.first(receive_some(socket, piece)));
      continue;
    }
    const auto message = wire::parse_backend(**frame);
    if (!message) throw std::runtime_error(message.error().message);
    if (std::holds_alternative<wire::copy_both_response>(*message)) return;
    if (const auto* refused = std::get_if<wire::error_response>(&*message))
      throw std::runtime_error(refused->message);
  }
}

}  // namespace

raw_request encode_raw(const pages::request& asked) {
  bytes message;
  wire::write_copy_data(message, pages::encode(asked));
  raw_request raw;
  if (message.size() != raw.size()) throw std::runtime_error("requests have another size");
  std::copy(message.begin(), message.end(), raw.begin());
  return raw;
}

raw_stream::raw_stream(const std::filesystem::path& socket, const std::string& timeline)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_un address = address_of(socket);
  if (socket_ < 0 ||
      connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to " + socket.string());
  if (!timeline.empty()) begin_stream(socket_, timeline);
}

raw_stream::~raw_stream() { close(socket_); }

std::vector<double> raw_stream::ask_all(const std::vector<raw_request>& requests,
                                        size_t in_flight) {
  using clock = std::chrono::steady_clock;
  constexpr size_t id_at = 6;
  std::vector<double> latency_us;
  latency_us.reserve(requests.size());
  std::vector<clock::time_point> sent_at(requests.size());
  bytes received(64 * 1024);
  size_t held = 0;
  for (size_t sent = 0; latency_us.size() < requests.size();) {
    const size_t first = sent;
    const auto now = clock::now();
    for (; sent < requests.size() && sent - latency_us.size() < in_flight; ++sent)
      sent_at[sent] = now;
    if (sent > first) send_all(socket_, &requests[first], (sent - first) * raw_request_bytes);
    held += receive_some(socket_, byte_span{received}.subspan(held));
    const auto arrived = clock::now();
    size_t used = 0;
    for (; held - used >= raw_reply_bytes; used += raw_reply_bytes) {
      const std::byte* const reply = &received[used];
      if (reply[5] != static_cast<std::byte>(pages::request_kind::get_page))
        throw std::runtime_error("a reply is no page");
      const auto id = load_big_endian<uint64_t>(reply + id_at);
      latency_us.push_back(
          std::chrono::duration<double, std::micro>(arrived - sent_at.at(id)).count());
    }
    std::memmove(received.data(), received.data() + used, held - used);
    held -= used;
  }
  return latency_us;
}

void serve_one_page(const std::filesystem::path& socket) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(socket);
  if (listener < 0 ||
      bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 64) != 0)
    throw std::runtime_error("cannot listen at " + socket.string());
  for (;;) {
    const int client = accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    std::thread([client] {
      bytes reply(raw_reply_bytes, std::byte{7});
      reply[0] = std::byte{'d'};
      store_big_endian(&reply[1], static_cast<uint32_t>(raw_reply_bytes - 1));
      bytes asked(64 * 1024);
      size_t held = 0;
      for (;;) {
        const ssize_t got = recv(client, asked.data() + held, asked.size() - held, 0);
        if (got <= 0) break;
        held += static_cast<size_t>(got);
        size_t used = 0;
        for (; held - used >= raw_request_bytes; used += raw_request_bytes) {
          std::memcpy(&reply[5], &asked[used + 5], pages::reply_header_size_bytes);
          if (send(client, reply.data(), reply.size(), MSG_NOSIGNAL) != ssize_t{raw_reply_bytes})
            break;
        }
        std::memmove(asked.data(), asked.data() + used, held - used);
        held -= used;
      }
      close(client);
    }).detach();
  }
}

}  // namespace zenith::bench
