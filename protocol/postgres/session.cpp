// The server's side of a connection: phases, and what each message does in them.
#include "protocol/postgres/session.hpp"

#include <fmt/format.h>

#include "storage/base/assert.hpp"

namespace zenith::wire {
namespace {

/// A text that a client sent, fit for a one-line message.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

bool is_empty_command(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v;") == std::string_view::npos;
}

}  // namespace

session::session(describer describe, std::vector<std::pair<std::string, std::string>> parameters,
                 limits bounds)
    : describe_(std::move(describe)),
      parameters_(std::move(parameters)),
      limits_(bounds),
      reader_(startup_bytes_max) {}

void session::feed(byte_view data) {
  if (phase_ != phase::over) reader_.feed(data);
}

event session::next() {
  while (true) {
    if (phase_ == phase::over) return closed{close_reason_};
    if (phase_ == phase::running || phase_ == phase::copy_ended) return need_answer{};
    const bool starting = phase_ == phase::startup;
    const auto message = reader_.next(starting ? framing::untyped : framing::typed);
    if (!message) return violation(message.error());
    if (!*message) return need_input{};
    if (starting) {
      if (auto done = startup((*message)->body)) return *done;
      continue;
    }
    const auto parsed = parse_frontend(**message);
    if (!parsed) return violation(parsed.error());
    if (auto done = handle(*parsed)) return *done;
  }
}

event session::violation(const error& reason) {
  const bool unsupported = reason.code == errc::unsupported && phase_ == phase::startup;
  refuse(reason, unsupported ? sqlstate_of(errc::unsupported) : sqlstate_protocol_violation);
  return closed{close_reason_};
}

void session::refuse(const error& reason, std::string_view sqlstate) {
  if (phase_ == phase::over) return;
  write_error(output_, severity::fatal, sqlstate, reason.message);
  phase_ = phase::over;
  close_reason_ = reason;
}

/// As ProcessStartupPacket (postmaster.c) takes these packets.
session::outcome session::startup(byte_view body) {
  const auto packet = parse_startup(body);
  if (!packet) return violation(packet.error());
  if (std::holds_alternative<ssl_request>(*packet) ||
      std::holds_alternative<gss_encryption_request>(*packet)) {
    if (++encryption_requests_ > 2)
      return violation({errc::corrupt, "encryption was declined twice already"});
    output_.push_back(std::byte{'N'});
    return std::nullopt;
  }
  if (std::holds_alternative<cancel_request>(*packet)) {
    phase_ = phase::over;
    return closed{};
  }
  const auto& start = std::get<startup_message>(*packet);
  if (start.major != 3)
    return violation({errc::unsupported, fmt::format("protocol {}.{} is not spoken here, only 3.0",
                                                     start.major, start.minor)});
  std::vector<std::string> unknown_options;
  for (const auto& [name, value] : start.parameters)
    if (name.starts_with("_pq_.")) unknown_options.push_back(name);
  if (start.minor > 0 || !unknown_options.empty())
    write_negotiate_version(output_, unknown_options);
  client_parameters_ = start.parameters;
  write_authentication_ok(output_);
  for (const auto& [name, value] : parameters_) write_parameter_status(output_, name, value);
  write_ready_for_query(output_);
  reader_.set_body_bytes_max(limits_.message_bytes_max);
  phase_ = phase::idle;
  return std::nullopt;
}

session::outcome session::handle(const frontend_message& message) {
  if (std::holds_alternative<terminate_message>(message)) {
    phase_ = phase::over;
    return closed{};
  }
  if (phase_ == phase::copying) return copy_input(message);
  if (std::holds_alternative<sync_message>(message)) {
    skipping_ = false;
    // Portals live as long as their transaction, which ends here.
    portals_.clear();
    write_ready_for_query(output_);
    return std::nullopt;
  }
  if (skipping_) return std::nullopt;
  return std::visit(
      [&](const auto& m) -> outcome {
        // What is left of a copy that has failed is passed over, as is Flush: all is sent anyway.
        if constexpr (requires { this->on(m); }) return this->on(m);
        return std::nullopt;
      },
      message);
}

session::outcome session::on(const query_message& m) {
  // A simple query ends the unnamed statement and every portal (exec_simple_query).
  if (const auto unnamed = statements_.find(""); unnamed != statements_.end())
    statements_.erase(unnamed);
  portals_.clear();
  if (is_empty_command(m.text)) {
    write_empty_query_response(output_);
    write_ready_for_query(output_);
    return std::nullopt;
  }
  auto shape = describe_(m.text);
  if (!shape) {
    write_error(
        output_, severity::error,
        shape.error().code == errc::invalid_argument ? "42601" : sqlstate_of(shape.error().code),
        shape.error().message);
    write_ready_for_query(output_);
    return std::nullopt;
  }
  shape_ = std::move(*shape);
  executing_.reset();
  rows_max_ = 0;
  phase_ = phase::running;
  if (shape_.how == command_shape::kind::rows) write_row_description(output_, shape_.columns);
  return run_command{std::string(m.text)};
}

session::outcome session::extended_error(const error& reason) {
  write_error(output_, severity::error,
              reason.code == errc::invalid_argument ? "42601" : sqlstate_of(reason.code),
              reason.message);
  skipping_ = true;
  return std::nullopt;
}

session::outcome session::on(const parse_message& m) {
  if (!m.statement.empty() && statements_.contains(m.statement))
    return extended_error({errc::already_exists, fmt::format("there is a prepared statement '{}' "
                                                             "already",
                                                             shown(m.statement))});
  if (!m.parameter_types.empty())
    return extended_error({errc::unsupported, "commands have no parameters"});
  if (!is_empty_command(m.text)) {
    if (const auto shape = describe_(m.text); !shape) return extended_error(shape.error());
  }
  if (statements_.size() >= limits_.names_max && !statements_.contains(m.statement))
    return extended_error({errc::limit, fmt::format("{} statements are prepared, no more are "
                                                    "allowed",
                                                    statements_.size())});
  statements_.insert_or_assign(std::string(m.statement), std::string(m.text));
  write_parse_complete(output_);
  return std::nullopt;
}

session::outcome session::on(const bind_message& m) {
  const auto statement = statements_.find(m.statement);
  if (statement == statements_.end())
    return extended_error(
        {errc::not_found, fmt::format("there is no prepared statement '{}'", shown(m.statement))});
  if (!m.portal.empty() && portals_.contains(m.portal))
    return extended_error(
        {errc::already_exists, fmt::format("there is a portal '{}' already", shown(m.portal))});
  if (m.parameters != 0)
    return extended_error(
        {errc::invalid_argument,
         fmt::format("{} parameters were given, the command has none", m.parameters)});
  portal p;
  p.text = statement->second;
  p.is_empty = is_empty_command(p.text);
  if (!p.is_empty) {
    auto shape = describe_(p.text);
    if (!shape) return extended_error(shape.error());
    p.shape = std::move(*shape);
  }
  for (const uint16_t format : m.result_formats)
    if (format != 0) return extended_error({errc::unsupported, "results are sent as text only"});
  if (m.result_formats.size() > 1 && m.result_formats.size() != p.shape.columns.size())
    return extended_error(
        {errc::invalid_argument, fmt::format("{} result formats were given for {} columns",
                                             m.result_formats.size(), p.shape.columns.size())});
  if (portals_.size() >= limits_.names_max && !portals_.contains(m.portal))
    return extended_error(
        {errc::limit, fmt::format("{} portals are open, no more are allowed", portals_.size())});
  portals_.insert_or_assign(std::string(m.portal), std::move(p));
  write_bind_complete(output_);
  return std::nullopt;
}

session::outcome session::on(const describe_message& m) {
  command_shape shape;
  if (m.kind == 'P') {
    const auto found = portals_.find(m.name);
    if (found == portals_.end())
      return extended_error(
          {errc::not_found, fmt::format("there is no portal '{}'", shown(m.name))});
    shape = found->second.shape;
  } else {
    const auto found = statements_.find(m.name);
    if (found == statements_.end())
      return extended_error(
          {errc::not_found, fmt::format("there is no prepared statement '{}'", shown(m.name))});
    if (!is_empty_command(found->second)) {
      auto described = describe_(found->second);
      if (!described) return extended_error(described.error());
      shape = std::move(*described);
    }
    write_parameter_description(output_);
  }
  if (shape.columns.empty())
    write_no_data(output_);
  else
    write_row_description(output_, shape.columns);
  return std::nullopt;
}

session::outcome session::on(const close_message& m) {
  // Closing what does not exist is no error (protocol.sgml, "Extended Query").
  if (m.kind == 'P') {
    if (const auto found = portals_.find(m.name); found != portals_.end()) portals_.erase(found);
  } else {
    if (const auto found = statements_.find(m.name); found != statements_.end())
      statements_.erase(found);
  }
  write_close_complete(output_);
  return std::nullopt;
}

session::outcome session::on(const execute_message& m) {
  const auto found = portals_.find(m.portal);
  if (found == portals_.end())
    return extended_error(
        {errc::not_found, fmt::format("there is no portal '{}'", shown(m.portal))});
  portal& p = found->second;
  if (p.is_empty) {
    write_empty_query_response(output_);
    return std::nullopt;
  }
  if (p.shape.how == command_shape::kind::copy_both)
    return extended_error(
        {errc::unsupported, "this command is given by the simple query protocol only"});
  if (p.tag) {
    send_waiting(p, m.rows_max);
    return std::nullopt;
  }
  shape_ = p.shape;
  executing_ = std::string(m.portal);
  rows_max_ = m.rows_max;
  phase_ = phase::running;
  return run_command{p.text};
}

/// Sends a finished command's next rows, and then that it is complete or suspended.
void session::send_waiting(portal& p, uint32_t rows_max) {
  const size_t count =
      rows_max == 0 ? p.waiting.size() : std::min<size_t>(rows_max, p.waiting.size());
  for (size_t i = 0; i < count; ++i) write_data_row(output_, p.waiting[i]);
  p.waiting.erase(p.waiting.begin(), p.waiting.begin() + static_cast<ptrdiff_t>(count));
  if (p.waiting.empty())
    write_command_complete(output_, *p.tag);
  else
    write_portal_suspended(output_);
}

session::outcome session::copy_input(const frontend_message& message) {
  if (const auto* data = std::get_if<copy_data_message>(&message)) return copy_chunk{data->data};
  if (std::holds_alternative<copy_done_message>(message)) {
    phase_ = phase::copy_ended;
    return copy_end{};
  }
  if (const auto* failed = std::get_if<copy_fail_message>(&message)) {
    phase_ = phase::copy_ended;
    return copy_end{shown(failed->text)};
  }
  // Sent by clients that do not know that the copy has begun (protocol.sgml, "COPY Operations").
  if (std::holds_alternative<flush_message>(message) ||
      std::holds_alternative<sync_message>(message))
    return std::nullopt;
  return violation({errc::corrupt, "a message came inside a copy that does not belong there"});
}

// ---- the owner's answers

void session::answer_row(const row& values) {
  if (phase_ == phase::over) return;
  ZENITH_ASSERT(phase_ == phase::running && values.size() == shape_.columns.size());
  if (executing_ && rows_max_ != 0)
    portals_.find(*executing_)->second.waiting.push_back(values);
  else
    write_data_row(output_, values);
}

void session::begin_copy() {
  if (phase_ == phase::over) return;
  ZENITH_ASSERT(phase_ == phase::running && shape_.how != command_shape::kind::rows);
  if (shape_.how == command_shape::kind::copy_out) return write_copy_out_response(output_);
  write_copy_both_response(output_);
  phase_ = phase::copying;
}

void session::answer_copy_data(byte_view data) {
  if (phase_ != phase::over) write_copy_data(output_, data);
}

bool session::begin_copy_data(byte_view start, size_t other_bytes) {
  if (phase_ == phase::over) return false;
  write_copy_data_start(output_, start, other_bytes);
  return true;
}

void session::complete(std::string_view tag) {
  if (phase_ == phase::over) return;
  ZENITH_ASSERT(phase_ == phase::running || phase_ == phase::copy_ended);
  if (shape_.how != command_shape::kind::rows) write_copy_done(output_);
  if (executing_ && shape_.how == command_shape::kind::rows && rows_max_ != 0) {
    portal& p = portals_.find(*executing_)->second;
    p.tag = tag;
    send_waiting(p, rows_max_);
  } else {
    // A portal that is executed again gives no further rows, as in PostgreSQL.
    if (executing_) portals_.find(*executing_)->second.tag = tag;
    write_command_complete(output_, tag);
  }
  finish_command();
}

void session::fail(const error& reason) {
  if (phase_ == phase::over) return;
  ZENITH_ASSERT(phase_ != phase::startup && phase_ != phase::idle);
  write_error(output_, severity::error, sqlstate_of(reason.code), reason.message);
  if (executing_) skipping_ = true;
  finish_command();
}

void session::finish_command() {
  if (!executing_) write_ready_for_query(output_);
  executing_.reset();
  phase_ = phase::idle;
}

}  // namespace zenith::wire
