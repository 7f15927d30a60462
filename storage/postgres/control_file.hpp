// control_file: what global/pg_control holds, for code that knows no server header.
#pragma once

#include <array>
#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/checkpoint.hpp"

namespace zenith::pg {

/// DBState (pg_control.h).
enum class database_state : uint32_t {
  startup = 0,
  shut_down = 1,
  shut_down_in_recovery = 2,
  shutting_down = 3,
  in_crash_recovery = 4,
  in_archive_recovery = 5,
  in_production = 6
};

/// ControlFileData of PostgreSQL 15 (pg_control.h). What is the same on every server that we
/// support (versions, block sizes, alignment) has no field: decoding checks it, encoding sets it.
struct control_file {
  system_identifier system{};
  database_state state = database_state::startup;
  int64_t time_s = 0;     ///< of the last update: seconds since 1970-01-01 UTC
  lsn checkpoint_record;  ///< where the last checkpoint's record begins
  checkpoint last_checkpoint;

  lsn unlogged_lsn;
  lsn minimum_recovery_point;
  pg_timeline minimum_recovery_timeline{};
  lsn backup_start;
  lsn backup_end;
  bool backup_end_required = false;

  int32_t wal_level = 0;  ///< 0 minimal, 1 replica, 2 logical
  bool wal_log_hints = false;
  int32_t max_connections = 0;
  int32_t max_worker_processes = 0;
  int32_t max_wal_senders = 0;
  int32_t max_prepared_transactions = 0;
  int32_t max_locks_per_transaction = 0;
  bool track_commit_timestamp = false;

  uint32_t wal_segment_size_bytes = 16 * 1024 * 1024;
  uint32_t data_checksum_version = 0;  ///< 0: pages have no checksums
  std::array<std::byte, 32> mock_authentication_nonce{};

  bool has_checksums() const { return data_checksum_version != 0; }
  bool operator==(const control_file&) const = default;
};

/// PG_CONTROL_VERSION and CATALOG_VERSION_NO of PostgreSQL 15.
inline constexpr uint32_t control_version = 1300;
inline constexpr uint32_t catalog_version = 202209061;
/// The folder inside a tablespace in which this version keeps its files.
inline constexpr const char* tablespace_version_directory = "PG_15_202209061";
/// PG_VERSION's contents, without the newline.
inline constexpr const char* major_version = "15";

/// sizeof(ControlFileData): the bytes that mean something, CRC included.
inline constexpr size_t control_data_size_bytes = 296;
/// PG_CONTROL_FILE_SIZE: the whole file, zeros behind the above.
inline constexpr size_t control_file_size_bytes = 8192;

/// Takes either form. Errors: unsupported (another version of PostgreSQL, or one built with other
/// sizes) names what was found; corrupt (too short, CRC, state).
result<control_file> decode_control_file(byte_view stored);
/// control_data_size_bytes, CRC set: the value of key::control().
bytes encode_control_data(const control_file& c);
/// The same as the whole file.
bytes encode_control_file(const control_file& c);

}  // namespace zenith::pg
