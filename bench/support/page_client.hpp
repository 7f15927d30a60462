// page_client: asks the page service over its Unix socket, as a server's storage manager would.
#pragma once

#include <filesystem>
#include <string>

#include "protocol/pages/stream.hpp"
#include "protocol/postgres/frames.hpp"

namespace zenith::bench {

/// One page stream of one timeline. Errors are exceptions.
class page_client {
 public:
  /// `socket`: the path of the page service's socket.
  page_client(const std::filesystem::path& socket, const std::string& timeline);
  ~page_client();
  page_client(const page_client&) = delete;
  page_client& operator=(const page_client&) = delete;

  /// Sends one request; any number may be on their way.
  void send(const pages::request& asked);
  /// The next reply, whichever request it answers; throws where it is an error.
  pages::reply receive();

 private:
  void send_all(byte_view data);
  wire::frame next_frame();

  int socket_ = -1;
  wire::frame_reader reader_{64 * 1024};
  bytes received_;
};

}  // namespace zenith::bench
