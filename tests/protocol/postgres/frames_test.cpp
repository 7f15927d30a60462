// Frames: the same messages in any chunking, and bounds that hold before a message is there.
#include "protocol/postgres/frames.hpp"

#include <gtest/gtest.h>

#include "protocol/postgres/fields.hpp"
#include "protocol/postgres/frontend.hpp"

namespace zenith::wire {
namespace {

TEST(frames, are_the_same_in_any_chunking) {
  bytes stream;
  write_query(stream, "status");
  write_sync(stream);
  write_copy_data(stream, as_bytes("abc"));
  for (size_t chunk = 1; chunk <= stream.size(); ++chunk) {
    frame_reader reader(100);
    std::string seen;
    for (size_t at = 0; at < stream.size(); at += chunk) {
      reader.feed(byte_view(stream).subspan(at, std::min(chunk, stream.size() - at)));
      while (true) {
        const auto message = reader.next(framing::typed);
        ASSERT_TRUE(message.has_value());
        if (!*message) break;
        seen += (*message)->type;
        seen += as_text((*message)->body);
      }
    }
    EXPECT_EQ(seen, std::string("Qstatus\0Sdabc", 13));
    EXPECT_EQ(reader.pending_bytes(), 0u);
  }
}

TEST(frames, longer_than_allowed_are_refused_at_their_length) {
  for (const uint32_t length : {0u, 3u, 105u, 0x7fffffffu, 0xffffffffu}) {
    bytes header(5);
    header[0] = std::byte{'Q'};
    store_big_endian(&header[1], length);
    frame_reader reader(100);
    reader.feed(header);
    const auto message = reader.next(framing::typed);
    ASSERT_FALSE(message.has_value()) << length;
    EXPECT_EQ(message.error().code, length < 4 ? errc::corrupt : errc::limit);
  }
  bytes exact;
  write_copy_data(exact, bytes(100));
  frame_reader reader(100);
  reader.feed(exact);
  EXPECT_EQ((*reader.next(framing::typed))->body.size(), 100u);
}

TEST(frames, untyped_have_only_a_length) {
  bytes packet;
  write_ssl_request(packet);
  EXPECT_EQ(packet.size(), 8u);
  frame_reader reader(100);
  reader.feed(packet);
  const auto message = reader.next(framing::untyped);
  ASSERT_TRUE(message.has_value() && message->has_value());
  EXPECT_EQ((*message)->type, 0);
  EXPECT_TRUE(std::holds_alternative<ssl_request>(*parse_startup((*message)->body)));
}

TEST(fields, that_are_not_there_spoil_the_reader_for_ever) {
  const bytes body = {std::byte{0}, std::byte{1}, std::byte{'a'}, std::byte{0}};
  field_reader in(body);
  EXPECT_EQ(in.integer<uint16_t>(), 1);
  EXPECT_EQ(in.text(), "a");
  EXPECT_TRUE(in.finished());
  EXPECT_EQ(in.integer<uint64_t>(), 0u);
  EXPECT_FALSE(in.good());
  EXPECT_FALSE(in.finished());
}

}  // namespace
}  // namespace zenith::wire
