// stream: pagestream's requests and replies, as they stand inside CopyData.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <variant>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::pages {

/// What is asked; the numbers are frozen, and a reply carries its request's.
enum class request_kind : uint8_t {
  exists = 1,    ///< does the fork exist?
  size = 2,      ///< how many blocks has it?
  get_page = 3,  ///< one block
};

/// One request. Big-endian, 34 bytes, frozen:
///    0  u8   kind
///    1  u64  request id: the client's own, comes back in the reply
///    9  u64  LSN, not 0/0
///   17  u32  tablespace
///   21  u32  database
///   25  u32  relfilenode
///   29  u8   fork: 0 main, 1 fsm, 2 vm, 3 init
///   30  u32  block; 0 unless the kind is get_page
inline constexpr size_t request_size_bytes = 34;
struct request {
  request_kind kind = request_kind::exists;
  uint64_t id = 0;
  lsn at;
  relation_id relation;
  fork_number fork = fork_number::main;
  block_number block = 0;

  bool operator==(const request&) const = default;
};
using encoded_request = std::array<std::byte, request_size_bytes>;
encoded_request encode(const request& r);

/// A request as it came: its id, and what it asks or why that makes no sense (invalid_argument; the
/// client gets an error reply with this id, and the stream goes on).
struct received_request {
  uint64_t id = 0;
  result<request> asked;
};
/// Error: corrupt, where it has not exactly 34 bytes; the stream cannot go on.
result<received_request> decode_request(byte_view data);

/// One reply. Replies come as they become ready, in any order. Big-endian, frozen:
///    0  u8   kind: the request's, or 255 for an error
///    1  u64  request id
///    9  exists:    u8, 0 or 1
///       size:      u32, blocks
///       get_page:  8192 bytes
///       error:     u8 errc (result.hpp), then its text up to the end
inline constexpr size_t reply_header_size_bytes = 9;
inline constexpr size_t error_text_bytes_max = 4096;
struct exists_reply {
  bool exists = false;
};
struct size_reply {
  block_number blocks = 0;
};
struct page_reply {
  std::shared_ptr<const page> data;  ///< never null
};
struct error_reply {
  error reason;
};
struct reply {
  uint64_t id = 0;
  std::variant<exists_reply, size_reply, page_reply, error_reply> body;
};
bytes encode(const reply& r);
/// Of a page's reply, what stands before the page.
std::array<std::byte, reply_header_size_bytes> encode_page_header(uint64_t id);
/// Error: corrupt.
result<reply> decode_reply(byte_view data);

}  // namespace zenith::pages
