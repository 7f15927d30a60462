// frontend: what a client sends in PostgreSQL's v3 protocol, parsed and built.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/postgres/frames.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::wire {

/// The longest packet before the startup is done (pqcomm.h, MAX_STARTUP_PACKET_LENGTH).
inline constexpr size_t startup_bytes_max = 10000;

struct ssl_request {};
struct gss_encryption_request {};
struct cancel_request {
  uint32_t process_id = 0;
  uint32_t secret = 0;
};
struct startup_message {
  uint16_t major = 3;
  uint16_t minor = 0;
  std::vector<std::pair<std::string, std::string>> parameters;
};
using startup_packet =
    std::variant<ssl_request, gss_encryption_request, cancel_request, startup_message>;

/// An untyped packet. Error: corrupt.
result<startup_packet> parse_startup(byte_view body);

struct query_message {
  std::string_view text;
};
struct parse_message {
  std::string_view statement;
  std::string_view text;
  std::vector<uint32_t> parameter_types;
};
struct bind_message {
  std::string_view portal;
  std::string_view statement;
  size_t parameters = 0;
  std::vector<uint16_t> result_formats;
};
/// Of a statement ('S') or a portal ('P').
struct describe_message {
  char kind = 'S';
  std::string_view name;
};
struct close_message {
  char kind = 'S';
  std::string_view name;
};
struct execute_message {
  std::string_view portal;
  uint32_t rows_max = 0;  ///< 0: all
};
struct sync_message {};
struct flush_message {};
struct terminate_message {};
struct copy_data_message {
  byte_view data;
};
struct copy_done_message {};
struct copy_fail_message {
  std::string_view text;
};
/// Texts and views are the frame's: valid as long as it is.
using frontend_message =
    std::variant<query_message, parse_message, bind_message, describe_message, close_message,
                 execute_message, sync_message, flush_message, terminate_message, copy_data_message,
                 copy_done_message, copy_fail_message>;

/// A typed message. Errors: corrupt (malformed), unsupported (a type that is not among the above).
result<frontend_message> parse_frontend(const frame& message);

/// The client's half: each appends one message.
void write_ssl_request(bytes& out);
void write_startup(bytes& out, const std::vector<std::pair<std::string, std::string>>& parameters);
void write_query(bytes& out, std::string_view text);
void write_parse(bytes& out, std::string_view statement, std::string_view text);
void write_bind(bytes& out, std::string_view portal, std::string_view statement);
void write_describe(bytes& out, char kind, std::string_view name);
void write_close(bytes& out, char kind, std::string_view name);
void write_execute(bytes& out, std::string_view portal, uint32_t rows_max);
void write_sync(bytes& out);
void write_flush(bytes& out);
void write_terminate(bytes& out);
/// These are the same in both directions.
void write_copy_data(bytes& out, byte_view data);
/// Of such a message all but its last so many bytes.
void write_copy_data_start(bytes& out, byte_view start, size_t other_bytes);
void write_copy_done(bytes& out);
void write_copy_fail(bytes& out, std::string_view text);

}  // namespace zenith::wire
