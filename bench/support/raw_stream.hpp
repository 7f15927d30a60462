// raw_stream: page requests and replies as bytes, with as little around them as a client can have.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "protocol/pages/stream.hpp"

namespace zenith::bench {

/// A request and a page's reply inside CopyData.
inline constexpr size_t raw_request_bytes = 5 + pages::request_size_bytes;
inline constexpr size_t raw_reply_bytes = 5 + pages::reply_header_size_bytes + page_size_bytes;
using raw_request = std::array<std::byte, raw_request_bytes>;

/// `asked.id` is what ask_all() wants: its place among all.
raw_request encode_raw(const pages::request& asked);

/// One connection. Errors are exceptions.
class raw_stream {
 public:
  /// `timeline`: of the page service's; empty for a bare server, which is asked at once.
  raw_stream(const std::filesystem::path& socket, const std::string& timeline);
  ~raw_stream();
  raw_stream(const raw_stream&) = delete;
  raw_stream& operator=(const raw_stream&) = delete;

  /// Asks for all, so many at a time, and takes each reply as a page's. Gives how long each took,
  /// in us.
  std::vector<double> ask_all(const std::vector<raw_request>& requests, size_t in_flight);

 private:
  int socket_ = -1;
};

/// Listens at a socket and answers each request with the same page, a thread for each connection:
/// the least that a server of this protocol can do. Does not return.
[[noreturn]] void serve_one_page(const std::filesystem::path& socket);

}  // namespace zenith::bench
