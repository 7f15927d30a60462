// One connection that receives WAL, by libpq.
#include "actors/replication.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "actors/blocking.hpp"

namespace zenith::actors {
namespace {

constexpr int supported_major_version = 15;

using result_ptr = std::unique_ptr<PGresult, decltype(&PQclear)>;

result_ptr execute(pg_conn* connection, const std::string& command) {
  return {PQexec(connection, command.c_str()), PQclear};
}

std::string one_line(std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  for (char& c : message)
    if (c == '\n') c = ' ';
  return message;
}

template <class Integer>
bool parse(std::string_view text, Integer& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && end == text.data() + text.size();
}

}  // namespace

result<void> check_server(const server_identity& found, const expected_server& expected) {
  const int major = found.version / 10000;
  if (major != supported_major_version)
    return fail(errc::unsupported, fmt::format("the server is PostgreSQL {}, expected {}", major,
                                               supported_major_version));
  if (found.system != expected.system)
    return fail(errc::conflict,
                fmt::format("the server's system identifier is {}, expected {}: it is another "
                            "cluster",
                            to_string(found.system), to_string(expected.system)));
  if (found.segment_size_bytes != expected.segment_size_bytes)
    return fail(errc::conflict, fmt::format("the server's WAL segments have {} bytes, expected {}",
                                            found.segment_size_bytes, expected.segment_size_bytes));
  if (found.timeline < expected.timeline)
    return fail(errc::conflict, fmt::format("the server is on pg_timeline {}, expected {}: its "
                                            "history is another one",
                                            static_cast<uint32_t>(found.timeline),
                                            static_cast<uint32_t>(expected.timeline)));
  return {};
}

result<void> check_nothing_lost(const server_identity& found, lsn received) {
  if (found.flushed >= received) return {};
  return fail(errc::conflict, fmt::format("the server has written up to {}, the timeline holds its "
                                          "WAL up to {}: the server lost what it had confirmed",
                                          to_string(found.flushed), to_string(received)));
}

result<void> check_follows(lsn came, lsn expected) {
  if (came == expected) return {};
  const bool jumps = came > expected;
  return fail(
      errc::corrupt,
      fmt::format("the server sent WAL from {}, expected it from {}: {} bytes {}", to_string(came),
                  to_string(expected), jumps ? came - expected : expected - came,
                  jumps ? "are left out" : "before it come again"));
}

result<uint32_t> parse_segment_size(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view unit = text.substr(digits);
  uint64_t size = 0;
  if (parse(text.substr(0, digits), size) && size <= 1024 && (unit == "MB" || unit == "GB")) {
    size <<= unit == "MB" ? 20 : 30;
    if (size <= std::numeric_limits<uint32_t>::max()) return static_cast<uint32_t>(size);
  }
  return fail(errc::corrupt,
              fmt::format("the server says that its WAL segments have \"{}\", expected a number "
                          "of MB or GB",
                          text));
}

void replication_connection::finish::operator()(pg_conn* connection) const { PQfinish(connection); }

error replication_connection::failure(const std::string& what) const {
  return {errc::unavailable, what + ": " + one_line(PQerrorMessage(connection_.get()))};
}

int replication_connection::descriptor() const { return PQsocket(connection_.get()); }

result<replication_connection> replication_connection::connect(const std::string& conninfo,
                                                               std::chrono::milliseconds timeout,
                                                               const go_on& asked) {
  replication_connection made(PQconnectStart(conninfo.c_str()));
  pg_conn* connection = made.connection_.get();
  if (connection == nullptr) return fail(errc::limit, "no memory for a connection");
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD) {
    if (!asked()) return fail(errc::unavailable, "the connection is no longer wanted");
    if (std::chrono::steady_clock::now() > deadline)
      return fail(errc::unavailable, "the server did not answer in time");
    pollfd polled{PQsocket(connection),
                  static_cast<short>(wants == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (poll(&polled, 1, poll_interval_ms) <= 0) continue;
    wants = PQconnectPoll(connection);
    if (wants == PGRES_POLLING_OK) return made;
    if (wants == PGRES_POLLING_FAILED) break;
  }
  return tl::unexpected<error>(made.failure("cannot connect"));
}

result<server_identity> replication_connection::identify() {
  const auto row = execute(connection_.get(), "IDENTIFY_SYSTEM");
  if (PQresultStatus(row.get()) != PGRES_TUPLES_OK || PQntuples(row.get()) != 1 ||
      PQnfields(row.get()) < 3)
    return tl::unexpected<error>(failure("IDENTIFY_SYSTEM"));
  server_identity identity;
  uint64_t system = 0;
  uint32_t timeline = 0;
  if (!parse(PQgetvalue(row.get(), 0, 0), system) || !parse(PQgetvalue(row.get(), 0, 1), timeline))
    return fail(errc::corrupt, "the server's answer to IDENTIFY_SYSTEM is not understood");
  ZENITH_TRY_ASSIGN(identity.flushed, parse_lsn(PQgetvalue(row.get(), 0, 2)));
  identity.version = PQserverVersion(connection_.get());
  identity.system = system_identifier{system};
  identity.timeline = pg_timeline{timeline};
  const auto shown = execute(connection_.get(), "SHOW wal_segment_size");
  if (PQresultStatus(shown.get()) != PGRES_TUPLES_OK || PQntuples(shown.get()) != 1)
    return tl::unexpected<error>(failure("SHOW wal_segment_size"));
  ZENITH_TRY_ASSIGN(identity.segment_size_bytes, parse_segment_size(PQgetvalue(shown.get(), 0, 0)));
  return identity;
}

result<std::vector<backup::past_pg_timeline>> replication_connection::history_of(
    pg_timeline timeline) {
  const std::string command = "TIMELINE_HISTORY " + std::to_string(static_cast<uint32_t>(timeline));
  const auto row = execute(connection_.get(), command);
  if (PQresultStatus(row.get()) != PGRES_TUPLES_OK || PQntuples(row.get()) != 1 ||
      PQnfields(row.get()) != 2)
    return tl::unexpected<error>(failure(command));
  return backup::parse_pg_history(
      {PQgetvalue(row.get(), 0, 1), static_cast<size_t>(PQgetlength(row.get(), 0, 1))});
}

result<void> replication_connection::ensure_slot(const std::string& slot) {
  // Asked first, because the server logs each attempt to make a slot that is there as an error.
  // One row comes in any case, of NULLs where there is no such slot (walsender.c,
  // ReadReplicationSlot).
  const auto found = execute(connection_.get(), "READ_REPLICATION_SLOT \"" + slot + "\"");
  if (PQresultStatus(found.get()) != PGRES_TUPLES_OK || PQntuples(found.get()) != 1)
    return tl::unexpected<error>(failure("cannot look for the replication slot " + slot));
  if (PQgetisnull(found.get(), 0, 0) == 0) return {};
  const auto made =
      execute(connection_.get(), "CREATE_REPLICATION_SLOT \"" + slot + "\" PHYSICAL RESERVE_WAL");
  if (PQresultStatus(made.get()) == PGRES_TUPLES_OK) return {};
  return tl::unexpected<error>(failure("cannot make the replication slot " + slot));
}

result<void> replication_connection::start(const std::string& slot, lsn from,
                                           pg_timeline timeline) {
  const auto started = execute(
      connection_.get(), "START_REPLICATION SLOT \"" + slot + "\" PHYSICAL " + to_string(from) +
                             " TIMELINE " + std::to_string(static_cast<uint32_t>(timeline)));
  if (PQresultStatus(started.get()) == PGRES_COPY_BOTH) return {};
  return tl::unexpected<error>(failure("cannot stream from " + to_string(from)));
}

result<void> replication_connection::consume() {
  if (PQconsumeInput(connection_.get()) == 1) return {};
  return tl::unexpected<error>(failure("the connection broke"));
}

result<std::optional<bytes>> replication_connection::next() {
  char* data = nullptr;
  const int length = PQgetCopyData(connection_.get(), &data, /*async=*/1);
  if (length > 0) {
    const std::unique_ptr<char, decltype(&PQfreemem)> held(data, PQfreemem);
    const byte_view view = as_bytes({data, static_cast<size_t>(length)});
    return bytes(view.begin(), view.end());
  }
  if (length == 0) return std::nullopt;
  if (length == -1) {
    const result_ptr ended(PQgetResult(connection_.get()), PQclear);
    if (PQresultStatus(ended.get()) == PGRES_FATAL_ERROR)
      return tl::unexpected<error>(failure("the server ended the stream"));
    return fail(errc::unavailable, "the server ended the stream");
  }
  return tl::unexpected<error>(failure("the stream broke"));
}

result<void> replication_connection::send(byte_view copy_data) {
  const std::string_view text = as_text(copy_data);
  if (PQputCopyData(connection_.get(), text.data(), static_cast<int>(text.size())) == 1 &&
      PQflush(connection_.get()) >= 0)
    return {};
  return tl::unexpected<error>(failure("cannot report to the server"));
}

}  // namespace zenith::actors
