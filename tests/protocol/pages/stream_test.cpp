// pagestream's messages: frozen bytes, and each end's answer to bytes that are none of them.
#include "protocol/pages/stream.hpp"

#include <gtest/gtest.h>

#include "tests/support/hostile_bytes.hpp"

namespace zenith::pages {
namespace {

request sample_request() {
  return {request_kind::get_page, 0x0102030405060708, lsn{0x16B374D848},
          {1663, 5, 16384},       fork_number::vm,    7};
}

TEST(page_request, has_its_frozen_bytes) {
  const auto encoded = encode(sample_request());
  const std::string expected(
      "\x03"
      "\x01\x02\x03\x04\x05\x06\x07\x08"
      "\x00\x00\x00\x16\xB3\x74\xD8\x48"
      "\x00\x00\x06\x7F"
      "\x00\x00\x00\x05"
      "\x00\x00\x40\x00"
      "\x02"
      "\x00\x00\x00\x07",
      34);
  EXPECT_EQ(as_text(encoded), expected);
  const auto decoded = decode_request(encoded);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->id, sample_request().id);
  EXPECT_EQ(*decoded->asked, sample_request());
}

TEST(page_request, that_makes_no_sense_keeps_its_id) {
  const auto refused = [](auto change, const char* why) {
    request r = sample_request();
    change(r);
    const auto decoded = decode_request(encode(r));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->id, r.id);
    ASSERT_FALSE(decoded->asked.has_value()) << why;
    EXPECT_EQ(decoded->asked.error().code, errc::invalid_argument);
    EXPECT_NE(decoded->asked.error().message.find(why), std::string::npos);
  };
  refused([](request& r) { r.at = lsn{}; }, "0/0");
  refused([](request& r) { r.fork = static_cast<fork_number>(4); }, "fork 4");
  refused([](request& r) { r.kind = static_cast<request_kind>(0); }, "kind 0");
  refused([](request& r) { r.kind = static_cast<request_kind>(4); }, "kind 4");
  refused([](request& r) { r.kind = request_kind::size; }, "block 7");
}

TEST(page_request, of_another_length_is_refused) {
  const auto encoded = encode(sample_request());
  zenith::testing::for_each_prefix(encoded, [](byte_view prefix) {
    const auto decoded = decode_request(prefix);
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error().code, errc::corrupt);
  });
  EXPECT_FALSE(decode_request(bytes(35)).has_value());
  zenith::testing::for_each_flip(encoded, [](byte_view changed) {
    const auto decoded = decode_request(changed);
    ASSERT_TRUE(decoded.has_value());
    if (decoded->asked) EXPECT_EQ(as_text(encode(*decoded->asked)), as_text(changed));
  });
}

std::vector<reply> sample_replies() {
  auto data = std::make_shared<page>();
  for (size_t i = 0; i < page_size_bytes; ++i) data->data[i] = static_cast<std::byte>(i * 7);
  return {{1, exists_reply{true}},
          {2, exists_reply{false}},
          {3, size_reply{0x01020304}},
          {4, page_reply{data}},
          {UINT64_MAX, error_reply{{errc::not_arrived, "LSN 0/1 has not arrived"}}},
          {6, error_reply{{errc::limit, ""}}}};
}

TEST(page_reply, comes_back_as_built) {
  for (const reply& r : sample_replies()) {
    const bytes encoded = encode(r);
    const auto decoded = decode_reply(encoded);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    EXPECT_EQ(decoded->id, r.id);
    EXPECT_EQ(decoded->body.index(), r.body.index());
    EXPECT_EQ(encode(*decoded), encoded);
  }
}

TEST(page_reply, has_its_frozen_bytes) {
  const auto replies = sample_replies();
  EXPECT_EQ(as_text(encode(replies[0])), std::string("\1\0\0\0\0\0\0\0\1\1", 10));
  EXPECT_EQ(as_text(encode(replies[2])), std::string("\2\0\0\0\0\0\0\0\3\1\2\3\4", 13));
  EXPECT_EQ(encode(replies[3]).size(), 9u + 8192u);
  EXPECT_EQ(as_text(encode(replies[5])), std::string("\xff\0\0\0\0\0\0\0\6\x0b", 10));
}

TEST(page_reply, begins_with_the_header_that_is_sent_before_a_page) {
  const reply r{0x0102030405060708, page_reply{std::make_shared<page>()}};
  const auto header = encode_page_header(r.id);
  EXPECT_EQ(as_text(header), as_text(byte_view{encode(r)}.first(header.size())));
}

TEST(page_reply, with_a_long_error_is_cut) {
  const reply r{1, error_reply{{errc::io, std::string(100000, 'x')}}};
  const bytes encoded = encode(r);
  EXPECT_EQ(encoded.size(), reply_header_size_bytes + 1 + error_text_bytes_max);
  EXPECT_TRUE(decode_reply(encoded).has_value());
}

TEST(page_reply, that_is_cut_or_too_long_is_refused) {
  for (const reply& r : sample_replies()) {
    const bytes encoded = encode(r);
    const bool is_error = encoded[0] == std::byte{255};
    for (size_t size = 0; size < encoded.size(); ++size)
      EXPECT_EQ(decode_reply(byte_view(encoded).first(size)).has_value(),
                is_error && size > reply_header_size_bytes);
    bytes longer = encoded;
    longer.push_back(std::byte{0});
    EXPECT_EQ(decode_reply(longer).has_value(), is_error);
  }
}

TEST(page_reply, hostile_bytes_are_decoded_or_refused) {
  for (const reply& r : sample_replies()) {
    const bytes encoded = encode(r);
    if (encoded.size() > 100) continue;
    zenith::testing::for_each_flip(encoded, [](byte_view changed) {
      const auto decoded = decode_reply(changed);
      if (decoded) EXPECT_EQ(as_text(encode(*decoded)), as_text(changed));
    });
  }
  zenith::testing::for_each_garbage(7, 20000, 50, [](byte_view garbage) {
    (void)decode_reply(garbage);
    (void)decode_request(garbage);
  });
}

}  // namespace
}  // namespace zenith::pages
