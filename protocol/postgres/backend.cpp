// A server's messages: protocol.sgml, "Message Formats" and "Error and Notice Message Fields".
#include "protocol/postgres/backend.hpp"

#include <fmt/format.h>

#include "protocol/postgres/fields.hpp"

namespace zenith::wire {
namespace {

tl::unexpected<error> malformed(const char* what) {
  return fail(errc::corrupt, fmt::format("malformed {}", what));
}

result<backend_message> parse_row_description(field_reader in) {
  row_description m;
  const auto count = in.integer<uint16_t>();
  for (size_t i = 0; i < count && in.good(); ++i) {
    column c;
    c.name = in.text();
    in.take(6);  // the table's oid and the attribute's number
    c.type_oid = in.integer<uint32_t>();
    c.type_size_bytes = in.integer<int16_t>();
    in.take(6);  // the type modifier and the format
    m.columns.push_back(std::move(c));
  }
  if (!in.finished()) return malformed("RowDescription message");
  return m;
}

result<backend_message> parse_data_row(field_reader in) {
  data_row m;
  const auto count = in.integer<uint16_t>();
  for (size_t i = 0; i < count && in.good(); ++i) {
    const auto length = in.integer<int32_t>();
    if (length < 0)
      m.values.emplace_back(std::nullopt);
    else
      m.values.emplace_back(std::string(as_text(in.take(static_cast<size_t>(length)))));
  }
  if (!in.finished()) return malformed("DataRow message");
  return m;
}

result<backend_message> parse_error(field_reader in) {
  error_response m;
  while (in.good()) {
    const auto field = static_cast<char>(in.integer<uint8_t>());
    if (!in.good() || field == 0) break;
    const std::string_view value = in.text();
    if (field == 'V') m.severity = value;
    if (field == 'C') m.sqlstate = value;
    if (field == 'M') m.message = value;
  }
  if (!in.finished()) return malformed("ErrorResponse message");
  return m;
}

}  // namespace

const char* sqlstate_of(errc code) {
  switch (code) {
    case errc::corrupt:
      return "XX001";  // data_corrupted
    case errc::io:
      return "58030";  // io_error
    case errc::not_found:
      return "42704";  // undefined_object
    case errc::already_exists:
      return "42710";  // duplicate_object
    case errc::invalid_argument:
    case errc::out_of_range:
      return "22023";  // invalid_parameter_value
    case errc::not_arrived:
      return "55000";  // object_not_in_prerequisite_state
    case errc::unsupported:
      return "0A000";  // feature_not_supported
    case errc::conflict:
      return "55006";  // object_in_use
    case errc::unavailable:
      return "57P03";  // cannot_connect_now
    case errc::limit:
      return "54000";  // program_limit_exceeded
  }
  return "XX000";  // internal_error
}

void write_authentication_ok(bytes& out) { frame_writer(out, 'R').integer(uint32_t{0}); }

void write_parameter_status(bytes& out, std::string_view name, std::string_view value) {
  frame_writer(out, 'S').text(name).text(value);
}

void write_ready_for_query(bytes& out) {
  frame_writer(out, 'Z').integer(static_cast<uint8_t>('I'));
}

void write_negotiate_version(bytes& out, const std::vector<std::string>& unknown_options) {
  frame_writer message(out, 'v');
  message.integer(uint32_t{3} << 16).integer(static_cast<uint32_t>(unknown_options.size()));
  for (const std::string& option : unknown_options) message.text(option);
}

void write_row_description(bytes& out, const std::vector<column>& columns) {
  frame_writer message(out, 'T');
  message.integer(static_cast<uint16_t>(columns.size()));
  for (const column& c : columns)
    message.text(c.name)
        .integer(uint32_t{0})  // of no table
        .integer(uint16_t{0})
        .integer(c.type_oid)
        .integer(c.type_size_bytes)
        .integer(int32_t{-1})  // no type modifier
        .integer(uint16_t{0});
}

void write_data_row(bytes& out, const row& values) {
  frame_writer message(out, 'D');
  message.integer(static_cast<uint16_t>(values.size()));
  for (const auto& value : values) {
    message.integer(value ? static_cast<int32_t>(value->size()) : int32_t{-1});
    if (value) message.append(as_bytes(*value));
  }
}

void write_command_complete(bytes& out, std::string_view tag) { frame_writer(out, 'C').text(tag); }

void write_error(bytes& out, severity how, std::string_view sqlstate, std::string_view message) {
  const char* word = how == severity::fatal ? "FATAL" : "ERROR";
  frame_writer(out, 'E')
      .integer(static_cast<uint8_t>('S'))
      .text(word)
      .integer(static_cast<uint8_t>('V'))
      .text(word)
      .integer(static_cast<uint8_t>('C'))
      .text(sqlstate)
      .integer(static_cast<uint8_t>('M'))
      .text(message)
      .integer(uint8_t{0});
}

void write_empty_query_response(bytes& out) { frame_writer(out, 'I'); }
void write_parse_complete(bytes& out) { frame_writer(out, '1'); }
void write_bind_complete(bytes& out) { frame_writer(out, '2'); }
void write_close_complete(bytes& out) { frame_writer(out, '3'); }
void write_no_data(bytes& out) { frame_writer(out, 'n'); }
void write_parameter_description(bytes& out) { frame_writer(out, 't').integer(uint16_t{0}); }
void write_portal_suspended(bytes& out) { frame_writer(out, 's'); }

void write_copy_out_response(bytes& out) {
  frame_writer(out, 'H').integer(uint8_t{0}).integer(uint16_t{0});
}
void write_copy_both_response(bytes& out) {
  frame_writer(out, 'W').integer(uint8_t{0}).integer(uint16_t{0});
}

result<backend_message> parse_backend(const frame& message) {
  field_reader in(message.body);
  const auto whole = [&](backend_message parsed, const char* what) -> result<backend_message> {
    if (!in.finished()) return malformed(what);
    return parsed;
  };
  switch (message.type) {
    case 'R': {
      const authentication m{in.integer<uint32_t>()};
      if (!in.good()) return malformed("Authentication message");
      return m;
    }
    case 'S': {
      parameter_status m;
      m.name = in.text();
      m.value = in.text();
      return whole(m, "ParameterStatus message");
    }
    case 'Z': {
      const ready_for_query m{static_cast<char>(in.integer<uint8_t>())};
      return whole(m, "ReadyForQuery message");
    }
    case 'T':
      return parse_row_description(in);
    case 'D':
      return parse_data_row(in);
    case 'C': {
      command_complete m;
      m.tag = in.text();
      return whole(m, "CommandComplete message");
    }
    case 'E':
      return parse_error(in);
    case 'H':
      return copy_out_response{};
    case 'W':
      return copy_both_response{};
    case 'd':
      return copy_data{message.body};
    case 'c':
      return whole(copy_done{}, "CopyDone message");
    default:
      return other_message{message.type};
  }
}

}  // namespace zenith::wire
