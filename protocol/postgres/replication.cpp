// Streaming replication's messages.
#include "protocol/postgres/replication.hpp"

#include <fmt/format.h>

#include "protocol/postgres/fields.hpp"

namespace zenith::wire {

result<replication_message> parse_replication_message(byte_view data) {
  field_reader in(data);
  const auto type = in.integer<uint8_t>();
  if (in.good() && type == 'w') {
    xlog_data m;
    m.start = lsn{in.integer<uint64_t>()};
    m.server_end = lsn{in.integer<uint64_t>()};
    m.sent_at = timestamp{in.integer<int64_t>()};
    m.wal = in.rest();
    if (!in.good() || m.wal.size() > UINT64_MAX - m.start.value())
      return fail(errc::corrupt, fmt::format("malformed XLogData of {} bytes", data.size()));
    return m;
  }
  if (in.good() && type == 'k') {
    primary_keepalive m;
    m.server_end = lsn{in.integer<uint64_t>()};
    m.sent_at = timestamp{in.integer<int64_t>()};
    m.reply_requested = in.integer<uint8_t>() != 0;
    if (!in.finished())
      return fail(errc::corrupt, fmt::format("malformed keepalive of {} bytes", data.size()));
    return m;
  }
  if (data.empty()) return fail(errc::corrupt, "an empty replication message");
  return fail(errc::unsupported,
              fmt::format("a replication message of the unknown type 0x{:02x}", type));
}

bytes encode(const standby_status& status) {
  bytes out(standby_status_size_bytes);
  out[0] = std::byte{'r'};
  store_big_endian(&out[1], status.written.value());
  store_big_endian(&out[9], status.flushed.value());
  store_big_endian(&out[17], status.applied.value());
  store_big_endian(&out[25], status.sent_at.microseconds());
  out[33] = std::byte{status.reply_requested};
  return out;
}

result<standby_status> parse_standby_status(byte_view data) {
  field_reader in(data);
  const auto type = in.integer<uint8_t>();
  standby_status m;
  m.written = lsn{in.integer<uint64_t>()};
  m.flushed = lsn{in.integer<uint64_t>()};
  m.applied = lsn{in.integer<uint64_t>()};
  m.sent_at = timestamp{in.integer<int64_t>()};
  m.reply_requested = in.integer<uint8_t>() != 0;
  if (!in.finished() || type != 'r')
    return fail(errc::corrupt, fmt::format("malformed standby status of {} bytes", data.size()));
  return m;
}

}  // namespace zenith::wire
