// served_session: a session with a small owner, whose sent messages are shown as a short text.
#pragma once

#include <gtest/gtest.h>

#include "protocol/postgres/session.hpp"

namespace zenith::wire {

/// Knows "rows" (two columns), "out" and "both"; "absent" does not exist, all else is a bad
/// command.
inline result<command_shape> describe_for_test(std::string_view text) {
  using kind = command_shape::kind;
  if (text == "rows") return command_shape{kind::rows, {column::text("a"), column::text("b")}};
  if (text == "out") return command_shape{kind::copy_out, {}};
  if (text == "both") return command_shape{kind::copy_both, {}};
  if (text == "absent") return ::zenith::fail(errc::not_found, "no such thing");
  return ::zenith::fail(errc::invalid_argument, "what?");
}

/// Answers "rows" with three rows, "out" with two pieces, and echoes what comes inside "both".
class served_session {
 public:
  explicit served_session(session::limits bounds = {})
      : server_(describe_for_test, {{"server_version", "15.0"}}, bounds) {}

  void send(byte_view data) {
    server_.feed(data);
    while (true) {
      const event todo = server_.next();
      if (std::holds_alternative<need_input>(todo)) break;
      if (const auto* over = std::get_if<closed>(&todo)) {
        closed_ = true;
        reason_ = over->reason;
        break;
      }
      ASSERT_FALSE(std::holds_alternative<need_answer>(todo));
      act(todo);
    }
    sent_.insert(sent_.end(), server_.output().begin(), server_.output().end());
    server_.output().clear();
  }
  void start() {
    bytes packet;
    write_startup(packet, {{"user", "u"}});
    send(packet);
  }
  /// The types of all messages that the client has got since the last call; an error adds its
  /// SQLSTATE, a row its first value, a piece of a copy its bytes.
  std::string seen() {
    frame_reader reader(1 << 20);
    reader.feed(sent_);
    sent_.clear();
    std::string out;
    while (true) {
      const auto message = reader.next(framing::typed);
      if (!message || !*message) break;
      out += (*message)->type;
      const auto parsed = parse_backend(**message);
      EXPECT_TRUE(parsed.has_value());
      if (!parsed) break;
      if (const auto* failure = std::get_if<error_response>(&*parsed))
        out += "(" + failure->sqlstate + ")";
      if (const auto* values = std::get_if<data_row>(&*parsed)) out += *values->values[0];
      if (const auto* data = std::get_if<copy_data>(&*parsed)) out += as_text(data->data);
    }
    EXPECT_EQ(reader.pending_bytes(), 0u);
    return out;
  }
  bool is_closed() const { return closed_; }
  const std::optional<error>& reason() const { return reason_; }
  session& server() { return server_; }
  bytes take() { return std::move(sent_); }

 private:
  void act(const event& todo) {
    if (const auto* run = std::get_if<run_command>(&todo)) {
      if (run->text == "rows") {
        for (const char* value : {"1", "2", "3"}) server_.answer_row({value, std::nullopt});
        server_.complete("ROWS");
      } else if (run->text == "out") {
        server_.begin_copy();
        server_.answer_copy_data(as_bytes("x"));
        server_.answer_copy_data(as_bytes("y"));
        server_.complete("OUT");
      } else {
        server_.begin_copy();
      }
    } else if (const auto* chunk = std::get_if<copy_chunk>(&todo)) {
      if (as_text(chunk->data) == "fail")
        server_.fail({errc::corrupt, "asked to fail"});
      else
        server_.answer_copy_data(chunk->data);
    } else if (std::get<copy_end>(todo).failure) {
      server_.fail({errc::invalid_argument, *std::get<copy_end>(todo).failure});
    } else {
      server_.complete("BOTH");
    }
  }

  session server_;
  bytes sent_;
  bool closed_ = false;
  std::optional<error> reason_;
};

inline bytes query(std::string_view text) {
  bytes out;
  write_query(out, text);
  return out;
}

/// A command by the extended protocol, without the Sync.
inline bytes extended(std::string_view text, uint32_t rows_max = 0) {
  bytes out;
  write_parse(out, "", text);
  write_bind(out, "", "");
  write_describe(out, 'P', "");
  write_execute(out, "", rows_max);
  return out;
}

}  // namespace zenith::wire
