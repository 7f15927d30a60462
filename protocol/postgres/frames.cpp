// Cutting a stream into messages.
#include "protocol/postgres/frames.hpp"

#include <fmt/format.h>

namespace zenith::wire {

void frame_reader::feed(byte_view data) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(consumed_));
  consumed_ = 0;
  buffer_.insert(buffer_.end(), data.begin(), data.end());
}

result<std::optional<frame>> frame_reader::next(framing kind) {
  const size_t type_bytes = kind == framing::typed ? 1 : 0;
  const byte_view rest = byte_view(buffer_).subspan(consumed_);
  if (rest.size() < type_bytes + 4) return std::nullopt;
  const char type = type_bytes == 1 ? static_cast<char>(rest[0]) : '\0';
  const auto length = load_big_endian<uint32_t>(rest.data() + type_bytes);
  if (length < 4)
    return fail(errc::corrupt,
                fmt::format("a message has the length {}, expected at least 4", length));
  const size_t body_bytes = length - 4;
  if (body_bytes > body_bytes_max_)
    return fail(errc::limit, fmt::format("a message has {} bytes, at most {} are allowed",
                                         body_bytes, body_bytes_max_));
  const size_t header_bytes = type_bytes + 4;
  if (rest.size() - header_bytes < body_bytes) return std::nullopt;
  consumed_ += header_bytes + body_bytes;
  return frame{type, rest.subspan(header_bytes, body_bytes)};
}

}  // namespace zenith::wire
