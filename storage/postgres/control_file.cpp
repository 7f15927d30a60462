// pg_control in the shape of PostgreSQL's own struct.
#include "storage/postgres/control_file.hpp"

#include <fmt/format.h>

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heaptoast.h>
#include <access/htup_details.h>
#include <catalog/catversion.h>
#include <catalog/pg_control.h>
#include <common/relpath.h>
#include <storage/large_object.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

#include "storage/postgres/checkpoint_layout.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::pg {
namespace {

static_assert(PG_CONTROL_VERSION == control_version);
static_assert(CATALOG_VERSION_NO == catalog_version);
static_assert(std::string_view(TABLESPACE_VERSION_DIRECTORY) == tablespace_version_directory);
static_assert(std::string_view(PG_MAJORVERSION) == major_version);
static_assert(sizeof(ControlFileData) == control_data_size_bytes);
static_assert(PG_CONTROL_FILE_SIZE == control_file_size_bytes);
static_assert(MOCK_AUTH_NONCE_LEN == sizeof(control_file::mock_authentication_nonce));
static_assert(static_cast<uint32_t>(DB_IN_PRODUCTION) ==
              static_cast<uint32_t>(database_state::in_production));

template <class... Arguments>
tl::unexpected<error> refuse(errc code, fmt::format_string<Arguments...> text,
                             Arguments&&... values) {
  return fail(code, "pg_control: " + fmt::format(text, std::forward<Arguments>(values)...));
}

// xlog.c, ReadControlFile: what must be as the server's build has it.
result<void> check_build(const ControlFileData& c) {
  struct constant {
    const char* name;
    uint32_t found;
    uint32_t expected;
  };
  const constant constants[] = {
      {"maximum data alignment", c.maxAlign, MAXIMUM_ALIGNOF},
      {"database block size", c.blcksz, BLCKSZ},
      {"blocks per segment of a large relation", c.relseg_size, RELSEG_SIZE},
      {"WAL block size", c.xlog_blcksz, XLOG_BLCKSZ},
      {"maximum length of identifiers", c.nameDataLen, NAMEDATALEN},
      {"maximum columns in an index", c.indexMaxKeys, INDEX_MAX_KEYS},
      {"maximum size of a TOAST chunk", c.toast_max_chunk_size, TOAST_MAX_CHUNK_SIZE},
      {"size of a large-object chunk", c.loblksize, LOBLKSIZE}};
  for (const constant& each : constants)
    if (each.found != each.expected)
      return refuse(errc::unsupported, "{} is {}, only {} is supported", each.name, each.found,
                    each.expected);
  if (c.floatFormat != FLOATFORMAT_VALUE)
    return refuse(errc::unsupported, "its floating-point format is not this machine's");
  if (!is_valid_segment_size(c.xlog_seg_size))
    return refuse(errc::corrupt, "invalid WAL segment size of {} bytes", c.xlog_seg_size);
  return {};
}

// Versions come before the CRC: another version has it elsewhere.
result<void> check(byte_view stored, const ControlFileData& c) {
  if (c.pg_control_version != PG_CONTROL_VERSION)
    return refuse(errc::unsupported, "its version is {}, PostgreSQL 15 has {}",
                  c.pg_control_version, PG_CONTROL_VERSION);
  if (c.catalog_version_no != CATALOG_VERSION_NO)
    return refuse(errc::unsupported, "its catalog version is {}, PostgreSQL 15 has {}",
                  c.catalog_version_no, CATALOG_VERSION_NO);
  const uint32_t crc = crc32c(stored.first(offsetof(ControlFileData, crc)));
  if (crc != c.crc)
    return refuse(errc::corrupt, "its CRC is {:08X}, its bytes give {:08X}", c.crc, crc);
  const auto state = load<uint32_t>(stored.data() + offsetof(ControlFileData, state));
  if (state > static_cast<uint32_t>(database_state::in_production))
    return refuse(errc::corrupt, "unknown state {}", state);
  return check_build(c);
}

}  // namespace

result<control_file> decode_control_file(byte_view stored) {
  if (stored.size() < control_data_size_bytes)
    return refuse(errc::corrupt, "{} bytes, expected {}", stored.size(), control_file_size_bytes);
  const auto c = load<ControlFileData>(stored.data());
  ZENITH_TRY(check(stored, c));
  // Damaged bytes can give a bool that is neither true nor false, so bools are read as bytes.
  const auto flag = [stored](size_t at) { return stored[at] != std::byte{0}; };
  control_file out;
  out.system = system_identifier{c.system_identifier};
  out.state =
      static_cast<database_state>(load<uint32_t>(stored.data() + offsetof(ControlFileData, state)));
  out.time_s = c.time;
  out.checkpoint_record = lsn{c.checkPoint};
  out.last_checkpoint =
      from_layout(c.checkPointCopy, stored.data() + offsetof(ControlFileData, checkPointCopy));
  out.unlogged_lsn = lsn{c.unloggedLSN};
  out.minimum_recovery_point = lsn{c.minRecoveryPoint};
  out.minimum_recovery_timeline = pg_timeline{c.minRecoveryPointTLI};
  out.backup_start = lsn{c.backupStartPoint};
  out.backup_end = lsn{c.backupEndPoint};
  out.backup_end_required = flag(offsetof(ControlFileData, backupEndRequired));
  out.wal_level = c.wal_level;
  out.wal_log_hints = flag(offsetof(ControlFileData, wal_log_hints));
  out.max_connections = c.MaxConnections;
  out.max_worker_processes = c.max_worker_processes;
  out.max_wal_senders = c.max_wal_senders;
  out.max_prepared_transactions = c.max_prepared_xacts;
  out.max_locks_per_transaction = c.max_locks_per_xact;
  out.track_commit_timestamp = flag(offsetof(ControlFileData, track_commit_timestamp));
  out.wal_segment_size_bytes = c.xlog_seg_size;
  out.data_checksum_version = c.data_checksum_version;
  std::memcpy(out.mock_authentication_nonce.data(), c.mock_authentication_nonce,
              MOCK_AUTH_NONCE_LEN);
  return out;
}

bytes encode_control_data(const control_file& c) {
  ControlFileData raw;
  std::memset(&raw, 0, sizeof raw);
  raw.system_identifier = static_cast<uint64_t>(c.system);
  raw.pg_control_version = PG_CONTROL_VERSION;
  raw.catalog_version_no = CATALOG_VERSION_NO;
  raw.state = static_cast<DBState>(c.state);
  raw.time = c.time_s;
  raw.checkPoint = c.checkpoint_record.value();
  to_layout(c.last_checkpoint, raw.checkPointCopy);
  raw.unloggedLSN = c.unlogged_lsn.value();
  raw.minRecoveryPoint = c.minimum_recovery_point.value();
  raw.minRecoveryPointTLI = static_cast<uint32_t>(c.minimum_recovery_timeline);
  raw.backupStartPoint = c.backup_start.value();
  raw.backupEndPoint = c.backup_end.value();
  raw.backupEndRequired = c.backup_end_required;
  raw.wal_level = c.wal_level;
  raw.wal_log_hints = c.wal_log_hints;
  raw.MaxConnections = c.max_connections;
  raw.max_worker_processes = c.max_worker_processes;
  raw.max_wal_senders = c.max_wal_senders;
  raw.max_prepared_xacts = c.max_prepared_transactions;
  raw.max_locks_per_xact = c.max_locks_per_transaction;
  raw.track_commit_timestamp = c.track_commit_timestamp;
  raw.maxAlign = MAXIMUM_ALIGNOF;
  raw.floatFormat = FLOATFORMAT_VALUE;
  raw.blcksz = BLCKSZ;
  raw.relseg_size = RELSEG_SIZE;
  raw.xlog_blcksz = XLOG_BLCKSZ;
  raw.xlog_seg_size = c.wal_segment_size_bytes;
  raw.nameDataLen = NAMEDATALEN;
  raw.indexMaxKeys = INDEX_MAX_KEYS;
  raw.toast_max_chunk_size = TOAST_MAX_CHUNK_SIZE;
  raw.loblksize = LOBLKSIZE;
  raw.float8ByVal = FLOAT8PASSBYVAL;
  raw.data_checksum_version = c.data_checksum_version;
  std::memcpy(raw.mock_authentication_nonce, c.mock_authentication_nonce.data(),
              MOCK_AUTH_NONCE_LEN);

  bytes out(control_data_size_bytes);
  std::memcpy(out.data(), &raw, sizeof raw);
  const uint32_t crc = crc32c(byte_view(out).first(offsetof(ControlFileData, crc)));
  store(out.data() + offsetof(ControlFileData, crc), crc);
  return out;
}

bytes encode_control_file(const control_file& c) {
  bytes out = encode_control_data(c);
  out.resize(control_file_size_bytes);
  return out;
}

}  // namespace zenith::pg
