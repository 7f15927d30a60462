// outgoing: what a connection has to send: a session's output, and pages between it, each sent from
// where it lies.
#pragma once

#include <deque>
#include <memory>
#include <span>

#include "storage/base/bytes.hpp"

namespace zenith::pages {

/// The order is that in which things were added. Knows no socket.
class outgoing {
 public:
  /// `text`: what the session adds its bytes to; outlives this one, which clears it once it is
  /// sent.
  explicit outgoing(bytes& text) : text_(text) {}

  /// Behind all that `text` holds now. Never nullptr.
  void add_page(std::shared_ptr<const page> data);

  /// What is left to send, in bytes.
  size_t size_bytes() const {
    return text_.size() - text_sent_ + pages_.size() * page_size_bytes - page_sent_;
  }
  bool is_empty() const { return size_bytes() == 0; }

  /// The next parts to send, in their order; gives how many. They stay valid until something is
  /// added or sent.
  size_t gather(std::span<byte_view> into) const;
  /// So many bytes of what gather() gave were sent.
  void sent(size_t size_bytes);

 private:
  struct placed_page {
    size_t at;  // the page stands before this byte of text_
    std::shared_ptr<const page> data;
  };
  void drop_sent_text();

  bytes& text_;
  size_t text_sent_ = 0;
  std::deque<placed_page> pages_;
  size_t page_sent_ = 0;  // of the first page
};

}  // namespace zenith::pages
