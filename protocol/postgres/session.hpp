// session: the server's side of one v3 connection, as bytes in, events and bytes out.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/postgres/backend.hpp"
#include "protocol/postgres/frames.hpp"
#include "protocol/postgres/frontend.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::wire {

/// What a command answers with, known before it runs.
struct command_shape {
  enum class kind : uint8_t {
    rows,       ///< rows of `columns`
    copy_out,   ///< a stream of bytes to the client
    copy_both,  ///< streams in both directions, until the client ends its own
  };
  kind how = kind::rows;
  std::vector<column> columns;
};

/// What the session's owner has to do next.
struct need_input {};   ///< nothing, until more bytes are fed
struct need_answer {};  ///< finish the command that it was given: complete() or fail()
/// Run a command: rows and complete(), or begin_copy() and so on; or fail().
struct run_command {
  std::string text;
};
/// The client sent this inside CopyBoth; valid until the next call of next() or feed().
struct copy_chunk {
  byte_view data;
};
/// The client ended its stream of CopyBoth: answer what is pending, then complete(). A CopyFail
/// carries its text.
struct copy_end {
  std::optional<std::string> failure;
};
/// The connection is over: send what output() holds and close. No reason: the client said goodbye.
struct closed {
  std::optional<error> reason;
};
using event = std::variant<need_input, need_answer, run_command, copy_chunk, copy_end, closed>;

/// Speaks startup (encryption declined, no authentication: the socket's folder is the access
/// control), simple and extended query, and copy. Any bytes at all are safe to feed: a violation
/// puts one FATAL error into the output and ends the session. What it holds is bounded by its
/// limits and by what its owner feeds at once. The owner's loop:
///   feed(what was read); while next() is not need_input: act on it; send and clear output().
class session {
 public:
  struct limits {
    size_t message_bytes_max = 64 * 1024;
    /// Prepared statements and portals, each.
    size_t names_max = 64;
  };
  /// Tells a command's shape from its text, or why it is none.
  using describer = std::function<result<command_shape>(std::string_view text)>;

  /// `parameters`: sent as ParameterStatus once the client is in.
  session(describer describe, std::vector<std::pair<std::string, std::string>> parameters,
          limits bounds);

  void feed(byte_view data);
  event next();

  /// What is to be sent; the owner sends it and clears it.
  bytes& output() { return output_; }
  /// The client's startup parameters, once it has sent them.
  const std::vector<std::pair<std::string, std::string>>& client_parameters() const {
    return client_parameters_;
  }

  /// For a command of rows: one row, as many values as the shape has columns.
  void answer_row(const row& values);
  /// For copies: begins the stream, then adds to it.
  void begin_copy();
  void answer_copy_data(byte_view data);
  /// One message of a copy, of which output() gets the start only: its owner sends the other bytes
  /// right behind what output() holds then. False where nothing is sent any more.
  bool begin_copy_data(byte_view start, size_t other_bytes);
  /// Ends a command. A copy is ended with CopyDone first.
  void complete(std::string_view tag);
  /// Ends a command, at any place in it, with an error.
  void fail(const error& reason);
  /// Ends the session with a FATAL error: no place for it, or the node stops.
  void refuse(const error& reason, std::string_view sqlstate);

 private:
  enum class phase : uint8_t { startup, idle, running, copying, copy_ended, over };
  struct portal {
    std::string text;
    command_shape shape;
    /// The rows that the last Execute's limit has left, and the tag that ends them.
    std::vector<row> waiting;
    std::optional<std::string> tag;
    bool is_empty = false;
  };
  using outcome = std::optional<event>;

  event violation(const error& reason);
  outcome startup(byte_view body);
  outcome handle(const frontend_message& message);
  outcome on(const query_message& m);
  outcome on(const parse_message& m);
  outcome on(const bind_message& m);
  outcome on(const describe_message& m);
  outcome on(const close_message& m);
  outcome on(const execute_message& m);
  outcome extended_error(const error& reason);
  outcome copy_input(const frontend_message& message);
  void send_waiting(portal& p, uint32_t rows_max);
  void finish_command();

  describer describe_;
  std::vector<std::pair<std::string, std::string>> parameters_;
  limits limits_;
  frame_reader reader_;
  bytes output_;
  std::vector<std::pair<std::string, std::string>> client_parameters_;
  phase phase_ = phase::startup;
  std::optional<error> close_reason_;
  int encryption_requests_ = 0;
  /// An error in the extended protocol skips all messages until Sync.
  bool skipping_ = false;
  std::map<std::string, std::string, std::less<>> statements_;
  std::map<std::string, portal, std::less<>> portals_;
  /// The command that runs: its shape, and the portal and row limit where it is extended.
  command_shape shape_;
  std::optional<std::string> executing_;
  uint32_t rows_max_ = 0;
};

}  // namespace zenith::wire
