// A client's messages: protocol.sgml, "Message Formats"; pqcomm.h for the first packets.
#include "protocol/postgres/frontend.hpp"

#include <fmt/format.h>

#include "protocol/postgres/fields.hpp"

namespace zenith::wire {
namespace {

// The codes that stand where a startup packet has its protocol version.
constexpr uint32_t cancel_request_code = 1234u << 16 | 5678;
constexpr uint32_t ssl_request_code = 1234u << 16 | 5679;
constexpr uint32_t gss_encryption_request_code = 1234u << 16 | 5680;

tl::unexpected<error> malformed(const char* what) {
  return fail(errc::corrupt, fmt::format("malformed {}", what));
}

result<startup_packet> parse_parameters(uint32_t code, field_reader in) {
  startup_message m;
  m.major = static_cast<uint16_t>(code >> 16);
  m.minor = static_cast<uint16_t>(code);
  // What another major version sends after its number is not known.
  if (m.major != 3) return m;
  while (true) {
    const std::string_view name = in.text();
    if (!in.good()) return malformed("startup packet: no end of its parameters");
    if (name.empty()) break;
    const std::string_view value = in.text();
    m.parameters.emplace_back(name, value);
  }
  if (!in.finished()) return malformed("startup packet: bytes after its parameters");
  return m;
}

result<frontend_message> parse_parse(field_reader in) {
  parse_message m;
  m.statement = in.text();
  m.text = in.text();
  const auto count = in.integer<uint16_t>();
  if (in.left() != size_t{count} * 4) return malformed("Parse message");
  for (size_t i = 0; i < count; ++i) m.parameter_types.push_back(in.integer<uint32_t>());
  if (!in.finished()) return malformed("Parse message");
  return m;
}

result<frontend_message> parse_bind(field_reader in) {
  bind_message m;
  m.portal = in.text();
  m.statement = in.text();
  const auto formats = in.integer<uint16_t>();
  in.take(size_t{formats} * 2);
  m.parameters = in.integer<uint16_t>();
  for (size_t i = 0; i < m.parameters && in.good(); ++i) {
    const auto length = in.integer<int32_t>();
    if (length < -1) return malformed("Bind message");
    if (length > 0) in.take(static_cast<size_t>(length));
  }
  if (formats > 1 && formats != m.parameters) return malformed("Bind message");
  const auto result_formats = in.integer<uint16_t>();
  if (in.left() != size_t{result_formats} * 2) return malformed("Bind message");
  for (size_t i = 0; i < result_formats; ++i) m.result_formats.push_back(in.integer<uint16_t>());
  if (!in.finished()) return malformed("Bind message");
  return m;
}

template <class Message>
result<frontend_message> parse_kind_and_name(field_reader in, const char* what) {
  Message m;
  m.kind = static_cast<char>(in.integer<uint8_t>());
  m.name = in.text();
  if (!in.finished() || (m.kind != 'S' && m.kind != 'P')) return malformed(what);
  return m;
}

}  // namespace

result<startup_packet> parse_startup(byte_view body) {
  field_reader in(body);
  const auto code = in.integer<uint32_t>();
  if (!in.good()) return malformed("startup packet: no protocol version");
  switch (code) {
    case ssl_request_code:
      if (!in.finished()) return malformed("SSLRequest");
      return ssl_request{};
    case gss_encryption_request_code:
      if (!in.finished()) return malformed("GSSENCRequest");
      return gss_encryption_request{};
    case cancel_request_code: {
      cancel_request m;
      m.process_id = in.integer<uint32_t>();
      m.secret = in.integer<uint32_t>();
      if (!in.finished()) return malformed("CancelRequest");
      return m;
    }
    default:
      return parse_parameters(code, in);
  }
}

result<frontend_message> parse_frontend(const frame& message) {
  field_reader in(message.body);
  const auto whole = [&](frontend_message parsed, const char* what) -> result<frontend_message> {
    if (!in.finished()) return malformed(what);
    return parsed;
  };
  switch (message.type) {
    case 'Q': {
      const query_message m{in.text()};
      return whole(m, "Query message");
    }
    case 'P':
      return parse_parse(in);
    case 'B':
      return parse_bind(in);
    case 'D':
      return parse_kind_and_name<describe_message>(in, "Describe message");
    case 'C':
      return parse_kind_and_name<close_message>(in, "Close message");
    case 'E': {
      execute_message m;
      m.portal = in.text();
      const auto rows_max = in.integer<int32_t>();
      m.rows_max = rows_max > 0 ? static_cast<uint32_t>(rows_max) : 0;
      return whole(m, "Execute message");
    }
    case 'S':
      return whole(sync_message{}, "Sync message");
    case 'H':
      return whole(flush_message{}, "Flush message");
    case 'X':
      return whole(terminate_message{}, "Terminate message");
    case 'd':
      return copy_data_message{message.body};
    case 'c':
      return whole(copy_done_message{}, "CopyDone message");
    case 'f': {
      const copy_fail_message m{in.text()};
      return whole(m, "CopyFail message");
    }
    default:
      return fail(errc::unsupported, fmt::format("a message of the unknown type 0x{:02x}",
                                                 static_cast<uint8_t>(message.type)));
  }
}

void write_ssl_request(bytes& out) { frame_writer(out, 0).integer(ssl_request_code); }

void write_startup(bytes& out, const std::vector<std::pair<std::string, std::string>>& parameters) {
  frame_writer packet(out, 0);
  packet.integer(uint32_t{3} << 16);
  for (const auto& [name, value] : parameters) packet.text(name).text(value);
  packet.text("");
}

void write_query(bytes& out, std::string_view text) { frame_writer(out, 'Q').text(text); }

void write_parse(bytes& out, std::string_view statement, std::string_view text) {
  frame_writer(out, 'P').text(statement).text(text).integer(uint16_t{0});
}

void write_bind(bytes& out, std::string_view portal, std::string_view statement) {
  frame_writer(out, 'B')
      .text(portal)
      .text(statement)
      .integer(uint16_t{0})
      .integer(uint16_t{0})
      .integer(uint16_t{0});
}

void write_describe(bytes& out, char kind, std::string_view name) {
  frame_writer(out, 'D').integer(static_cast<uint8_t>(kind)).text(name);
}

void write_close(bytes& out, char kind, std::string_view name) {
  frame_writer(out, 'C').integer(static_cast<uint8_t>(kind)).text(name);
}

void write_execute(bytes& out, std::string_view portal, uint32_t rows_max) {
  frame_writer(out, 'E').text(portal).integer(rows_max);
}

void write_sync(bytes& out) { frame_writer(out, 'S'); }
void write_flush(bytes& out) { frame_writer(out, 'H'); }
void write_terminate(bytes& out) { frame_writer(out, 'X'); }
void write_copy_data(bytes& out, byte_view data) { frame_writer(out, 'd').append(data); }
void write_copy_data_start(bytes& out, byte_view start, size_t other_bytes) {
  const size_t length_at = out.size() + 1;
  write_copy_data(out, start);
  store_big_endian(out.data() + length_at, static_cast<uint32_t>(4 + start.size() + other_bytes));
}
void write_copy_done(bytes& out) { frame_writer(out, 'c'); }
void write_copy_fail(bytes& out, std::string_view text) { frame_writer(out, 'f').text(text); }

}  // namespace zenith::wire
