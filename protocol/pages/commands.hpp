// commands: what the page service is asked in a query's text.
#pragma once

#include <string_view>
#include <variant>

#include "protocol/postgres/session.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::pages {

/// `basebackup TIMELINE LSN`: a copy_out of a tar, a data directory that starts at LSN.
struct basebackup_command {
  timeline_id timeline;
  lsn at;
  bool operator==(const basebackup_command&) const = default;
};
/// `status TIMELINE`: one row, columns as in status_columns().
struct status_command {
  timeline_id timeline;
  bool operator==(const status_command&) const = default;
};
/// `controlfile TIMELINE LSN`: one row, the bytes of pg_control as of LSN.
struct controlfile_command {
  timeline_id timeline;
  lsn at;
  bool operator==(const controlfile_command&) const = default;
};
/// `pagestream TIMELINE`: CopyBoth, with requests and replies of stream.hpp inside CopyData.
struct pagestream_command {
  timeline_id timeline;
  bool operator==(const pagestream_command&) const = default;
};
using command =
    std::variant<basebackup_command, status_command, controlfile_command, pagestream_command>;

/// Reads a command: the keyword in any case, words separated by blanks, with or without a semicolon
/// at the end; an LSN of 0/0 is refused. Error: invalid_argument, which says what is expected.
result<command> parse_command(std::string_view text);

/// What a command answers with. For wire::session, together with parse_command: shape_of_text.
wire::command_shape shape_of(const command& c);
result<wire::command_shape> shape_of_text(std::string_view text);

/// "timeline", "start_lsn", "last_lsn", "durable_lsn", "state".
std::vector<wire::column> status_columns();

/// The tag of its CommandComplete: its keyword in upper case.
const char* tag_of(const command& c);

/// A byte string as PostgreSQL prints a bytea: "\x" and hex digits.
std::string bytea_text(byte_view data);

}  // namespace zenith::pages
