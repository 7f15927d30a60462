// backend: what a server sends in PostgreSQL's v3 protocol, built and parsed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/postgres/frames.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::wire {

/// A result's column; all values are sent as text.
struct column {
  std::string name;
  uint32_t type_oid = 25;
  int16_t type_size_bytes = -1;

  bool operator==(const column&) const = default;
  static column text(std::string name) { return {std::move(name), 25, -1}; }
  static column int8(std::string name) { return {std::move(name), 20, 8}; }
  static column bytea(std::string name) { return {std::move(name), 17, -1}; }
};
using row = std::vector<std::optional<std::string>>;

enum class severity : uint8_t {
  error,  ///< the command failed
  fatal,  ///< the connection ends after it
};
/// What PostgreSQL's clients know this kind of failure as (errcodes.txt).
const char* sqlstate_of(errc code);
inline constexpr const char* sqlstate_protocol_violation = "08P01";
inline constexpr const char* sqlstate_too_many_connections = "53300";

/// Each appends one message.
void write_authentication_ok(bytes& out);
void write_parameter_status(bytes& out, std::string_view name, std::string_view value);
/// Nothing is ever in a transaction here: the status is always 'I'.
void write_ready_for_query(bytes& out);
/// `unknown_options`: the startup parameters named _pq_.* that are not understood.
void write_negotiate_version(bytes& out, const std::vector<std::string>& unknown_options);
void write_row_description(bytes& out, const std::vector<column>& columns);
void write_data_row(bytes& out, const row& values);
void write_command_complete(bytes& out, std::string_view tag);
void write_error(bytes& out, severity how, std::string_view sqlstate, std::string_view message);
void write_empty_query_response(bytes& out);
void write_parse_complete(bytes& out);
void write_bind_complete(bytes& out);
void write_close_complete(bytes& out);
void write_no_data(bytes& out);
void write_parameter_description(bytes& out);
void write_portal_suspended(bytes& out);
/// Copies with no columns, as walsender.c and basebackup.c announce them.
void write_copy_out_response(bytes& out);
void write_copy_both_response(bytes& out);

struct authentication {
  uint32_t code = 0;  ///< 0: nothing is asked for, all is well
};
struct parameter_status {
  std::string name;
  std::string value;
};
struct ready_for_query {
  char status = 'I';
};
struct row_description {
  std::vector<column> columns;
};
struct data_row {
  row values;
};
struct command_complete {
  std::string tag;
};
struct error_response {
  std::string severity;
  std::string sqlstate;
  std::string message;
};
struct copy_out_response {};
struct copy_both_response {};
struct copy_data {
  byte_view data;  ///< valid as long as the frame
};
struct copy_done {};
/// Any other type ('1' ParseComplete, 'n' NoData, 'N' NoticeResponse ...), body not looked at.
struct other_message {
  char type = 0;
};
using backend_message =
    std::variant<authentication, parameter_status, ready_for_query, row_description, data_row,
                 command_complete, error_response, copy_out_response, copy_both_response, copy_data,
                 copy_done, other_message>;

/// The client's half. Error: corrupt.
result<backend_message> parse_backend(const frame& message);

}  // namespace zenith::wire
