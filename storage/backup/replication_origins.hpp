// replication_origins: the file pg_logical/replorigin_checkpoint.
#pragma once

#include <cstdint>
#include <map>

#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::backup {

inline constexpr const char* replication_origins_file = "pg_logical/replorigin_checkpoint";

/// How far each origin's changes were replayed, by the origin's id.
using replication_origins = std::map<uint16_t, lsn>;

/// The file's bytes (origin.c, CheckPointReplicationOrigin). Little-endian:
///    0   u32  magic 0x1257DADE
///    4   for each origin 16 bytes: u16 id, 6 of padding, u64 LSN on the other server
///        u32  CRC-32C of all before
bytes encode(const replication_origins& origins);
/// Error: corrupt.
result<replication_origins> decode_replication_origins(byte_view file);

}  // namespace zenith::backup
