// pagestream's messages as bytes.
#include "protocol/pages/stream.hpp"

#include <fmt/format.h>

#include "storage/base/assert.hpp"

namespace zenith::pages {
namespace {

constexpr uint8_t error_kind = 255;

bytes start_reply(uint8_t kind, uint64_t id, size_t payload_bytes) {
  bytes out(reply_header_size_bytes + payload_bytes);
  out[0] = std::byte{kind};
  store_big_endian(&out[1], id);
  return out;
}

bytes encode_body(uint64_t id, const exists_reply& body) {
  bytes out = start_reply(static_cast<uint8_t>(request_kind::exists), id, 1);
  out[reply_header_size_bytes] = std::byte{body.exists};
  return out;
}

bytes encode_body(uint64_t id, const size_reply& body) {
  bytes out = start_reply(static_cast<uint8_t>(request_kind::size), id, 4);
  store_big_endian(&out[reply_header_size_bytes], body.blocks);
  return out;
}

bytes encode_body(uint64_t id, const page_reply& body) {
  ZENITH_ASSERT(body.data != nullptr);
  bytes out = start_reply(static_cast<uint8_t>(request_kind::get_page), id, page_size_bytes);
  std::memcpy(&out[reply_header_size_bytes], body.data->begin(), page_size_bytes);
  return out;
}

bytes encode_body(uint64_t id, const error_reply& body) {
  const byte_view text = as_bytes(body.reason.message);
  const size_t size = std::min(text.size(), error_text_bytes_max);
  bytes out = start_reply(error_kind, id, 1 + size);
  out[reply_header_size_bytes] = static_cast<std::byte>(body.reason.code);
  std::copy_n(text.begin(), size, out.begin() + reply_header_size_bytes + 1);
  return out;
}

tl::unexpected<error> malformed(uint8_t kind, size_t payload_bytes) {
  return fail(errc::corrupt, fmt::format("a reply of kind {} has a payload of {} bytes, which is "
                                         "not one",
                                         kind, payload_bytes));
}

result<request> check(const request& r, uint8_t kind, uint8_t fork) {
  if (kind < static_cast<uint8_t>(request_kind::exists) ||
      kind > static_cast<uint8_t>(request_kind::get_page))
    return fail(errc::invalid_argument, fmt::format("kind {} of a request is not known", kind));
  if (!r.at.is_valid())
    return fail(errc::invalid_argument, "LSN 0/0 is no position: every request names its LSN");
  if (fork > static_cast<uint8_t>(fork_number::init))
    return fail(errc::invalid_argument, fmt::format("fork {} of a request is not known", fork));
  if (r.kind != request_kind::get_page && r.block != 0)
    return fail(errc::invalid_argument,
                fmt::format("block {} in a request that is about no block", r.block));
  return r;
}

}  // namespace

encoded_request encode(const request& r) {
  encoded_request out;
  out[0] = static_cast<std::byte>(r.kind);
  store_big_endian(&out[1], r.id);
  store_big_endian(&out[9], r.at.value());
  store_big_endian(&out[17], r.relation.tablespace);
  store_big_endian(&out[21], r.relation.database);
  store_big_endian(&out[25], r.relation.relfilenode);
  out[29] = static_cast<std::byte>(r.fork);
  store_big_endian(&out[30], r.block);
  return out;
}

result<received_request> decode_request(byte_view data) {
  if (data.size() != request_size_bytes)
    return fail(errc::corrupt, fmt::format("a request has {} bytes, expected {}", data.size(),
                                           request_size_bytes));
  const auto kind = static_cast<uint8_t>(data[0]);
  const auto fork = static_cast<uint8_t>(data[29]);
  request r;
  r.kind = static_cast<request_kind>(kind);
  r.id = load_big_endian<uint64_t>(&data[1]);
  r.at = lsn{load_big_endian<uint64_t>(&data[9])};
  r.relation.tablespace = load_big_endian<uint32_t>(&data[17]);
  r.relation.database = load_big_endian<uint32_t>(&data[21]);
  r.relation.relfilenode = load_big_endian<uint32_t>(&data[25]);
  r.fork = static_cast<fork_number>(fork);
  r.block = load_big_endian<uint32_t>(&data[30]);
  return received_request{r.id, check(r, kind, fork)};
}

std::array<std::byte, reply_header_size_bytes> encode_page_header(uint64_t id) {
  std::array<std::byte, reply_header_size_bytes> out;
  out[0] = static_cast<std::byte>(request_kind::get_page);
  store_big_endian(&out[1], id);
  return out;
}

bytes encode(const reply& r) {
  return std::visit([&](const auto& body) { return encode_body(r.id, body); }, r.body);
}

result<reply> decode_reply(byte_view data) {
  if (data.size() < reply_header_size_bytes)
    return fail(errc::corrupt, fmt::format("a reply has {} bytes, expected at least {}",
                                           data.size(), reply_header_size_bytes));
  const auto kind = static_cast<uint8_t>(data[0]);
  const byte_view payload = data.subspan(reply_header_size_bytes);
  reply r{load_big_endian<uint64_t>(&data[1]), {}};
  if (kind == static_cast<uint8_t>(request_kind::exists)) {
    if (payload.size() != 1 || payload[0] > std::byte{1}) return malformed(kind, payload.size());
    r.body = exists_reply{payload[0] == std::byte{1}};
  } else if (kind == static_cast<uint8_t>(request_kind::size)) {
    if (payload.size() != 4) return malformed(kind, payload.size());
    r.body = size_reply{load_big_endian<uint32_t>(payload.data())};
  } else if (kind == static_cast<uint8_t>(request_kind::get_page)) {
    if (payload.size() != page_size_bytes) return malformed(kind, payload.size());
    auto data_page = std::make_shared<page>();
    std::memcpy(data_page->begin(), payload.data(), page_size_bytes);
    r.body = page_reply{std::move(data_page)};
  } else if (kind == error_kind) {
    if (payload.empty() || payload.size() > 1 + error_text_bytes_max ||
        payload[0] < static_cast<std::byte>(errc::corrupt) ||
        payload[0] > static_cast<std::byte>(errc::limit))
      return malformed(kind, payload.size());
    r.body = error_reply{{static_cast<errc>(payload[0]), std::string(as_text(payload.subspan(1)))}};
  } else {
    return fail(errc::corrupt, fmt::format("a reply has the unknown kind {}", kind));
  }
  return r;
}

}  // namespace zenith::pages
