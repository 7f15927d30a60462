// frames: cutting a stream of the v3 protocol into messages, in any chunking, within a bound.
#pragma once

#include <optional>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::wire {

/// One message; `type` is 0 for a client's first packets, which have none. The body is valid until
/// the reader is fed again.
struct frame {
  char type = 0;
  byte_view body;
};

enum class framing : uint8_t {
  untyped,  ///< i32 length, itself included; body: a client's packets before its startup is done
  typed,    ///< u8 type, i32 length without the type; body: all others
};

/// Holds at most one incomplete message and what the last feed brought.
class frame_reader {
 public:
  /// `body_bytes_max`: a longer message is refused as soon as its length is seen.
  explicit frame_reader(size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

  void feed(byte_view data);
  /// The next whole message, or nullopt until more is fed. Errors, after which the stream makes no
  /// sense any more: corrupt (a length below its minimum), limit (too long).
  result<std::optional<frame>> next(framing kind);
  /// Bytes that were fed and belong to no message yet.
  size_t pending_bytes() const { return buffer_.size() - consumed_; }
  /// Another bound, for messages that follow.
  void set_body_bytes_max(size_t bytes) { body_bytes_max_ = bytes; }

 private:
  bytes buffer_;
  size_t consumed_ = 0;
  size_t body_bytes_max_;
};

}  // namespace zenith::wire
