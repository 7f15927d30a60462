// replication: the messages inside CopyBoth of PostgreSQL's streaming replication.
#pragma once

#include <variant>

#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/base/timestamp.hpp"

namespace zenith::wire {

/// 'w': a piece of WAL (walsender.c, XLogSendPhysical). Big-endian:
///    0  u8   'w'
///    1  u64  LSN of the first byte
///    9  u64  end of WAL on the server
///   17  i64  the server's clock
///   25  the WAL
inline constexpr size_t xlog_data_header_size_bytes = 25;
struct xlog_data {
  lsn start;
  lsn server_end;
  timestamp sent_at;
  byte_view wal;  ///< valid as long as the message
};

/// 'k': the server is there (walsender.c, WalSndKeepalive). Big-endian, 18 bytes:
///    0  u8   'k'
///    1  u64  end of WAL on the server
///    9  i64  the server's clock
///   17  u8   1: answer at once, or the server will hang up
inline constexpr size_t keepalive_size_bytes = 18;
struct primary_keepalive {
  lsn server_end;
  timestamp sent_at;
  bool reply_requested = false;
};

using replication_message = std::variant<xlog_data, primary_keepalive>;

/// The data of one CopyData message. Errors: corrupt, unsupported (another type).
result<replication_message> parse_replication_message(byte_view data);

/// 'r': how far the receiver is (walreceiver.c, XLogWalRcvSendReply). Big-endian, 34 bytes:
///    0  u8   'r'
///    1  u64  written, the end of it
///    9  u64  flushed
///   17  u64  applied
///   25  i64  the receiver's clock
///   33  u8   1: answer at once
inline constexpr size_t standby_status_size_bytes = 34;
struct standby_status {
  lsn written;
  lsn flushed;
  lsn applied;
  timestamp sent_at;
  bool reply_requested = false;

  bool operator==(const standby_status&) const = default;
};
bytes encode(const standby_status& status);
/// The other end's half. Error: corrupt.
result<standby_status> parse_standby_status(byte_view data);

}  // namespace zenith::wire
