// One connection that receives WAL: libpq's calls with results instead of states.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/backup/pg_history.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

struct pg_conn;

namespace zenith::actors {

/// What the server says of itself (IDENTIFY_SYSTEM).
struct server_identity {
  int version = 0;  ///< PQserverVersion
  system_identifier system{};
  pg_timeline timeline{};
  lsn flushed;
  uint32_t segment_size_bytes = 0;
};

/// What a timeline expects of its server.
struct expected_server {
  system_identifier system{};
  pg_timeline timeline{};
  uint32_t segment_size_bytes = 0;
};

/// Whether it is a server that may write to a timeline of this cluster; one on a later pg_timeline
/// may, if its history says so (follow_plan.hpp). Errors: unsupported (another major version),
/// conflict; they say expected and found.
result<void> check_server(const server_identity& found, const expected_server& expected);
/// Whether it still has all of the WAL that was received from it. Error: conflict.
result<void> check_nothing_lost(const server_identity& found, lsn received);
/// Whether a piece of WAL follows what was received. Error: corrupt; says what is left out or comes
/// again.
result<void> check_follows(lsn came, lsn expected);
/// "16MB", as SHOW says it (guc.c, convert_int_from_base_unit). Error: corrupt.
result<uint32_t> parse_segment_size(std::string_view text);

/// A physical replication connection. Owned by one thread.
class replication_connection {
 public:
  using go_on = std::function<bool()>;

  /// Connects; asks go_on() at least every 100 ms and gives up where it says no.
  static result<replication_connection> connect(const std::string& conninfo,
                                                std::chrono::milliseconds timeout,
                                                const go_on& asked);
  replication_connection(replication_connection&&) noexcept = default;
  replication_connection& operator=(replication_connection&&) noexcept = default;

  /// IDENTIFY_SYSTEM, and how long its WAL segments are.
  result<server_identity> identify();
  /// The pg_timelines before one of the server's.
  result<std::vector<backup::past_pg_timeline>> history_of(pg_timeline timeline);
  /// Makes the slot with its WAL reserved, where it does not exist.
  result<void> ensure_slot(const std::string& slot);
  result<void> start(const std::string& slot, lsn from, pg_timeline timeline);

  /// Bytes of one CopyData message, nothing where none is there now. Error: unavailable, where the
  /// stream ended; says why. Call consume() when the socket is readable.
  result<std::optional<bytes>> next();
  result<void> consume();
  result<void> send(byte_view copy_data);
  int descriptor() const;

 private:
  struct finish {
    void operator()(pg_conn* connection) const;
  };
  explicit replication_connection(pg_conn* connection) : connection_(connection) {}
  error failure(const std::string& what) const;

  std::unique_ptr<pg_conn, finish> connection_;
};

}  // namespace zenith::actors
