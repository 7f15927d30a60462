// The file pg_logical/replorigin_checkpoint.
#include "storage/backup/replication_origins.hpp"

#include <fmt/format.h>

namespace zenith::backup {

namespace {
constexpr uint32_t magic = 0x1257DADE;  // origin.c, REPLICATION_STATE_MAGIC
constexpr size_t entry_bytes = 16;      // origin.c, sizeof(ReplicationStateOnDisk)
}  // namespace

bytes encode(const replication_origins& origins) {
  bytes file(4 + origins.size() * entry_bytes + 4);
  store(file.data(), magic);
  size_t at = 4;
  for (const auto& [id, remote] : origins) {
    store(&file[at], id);
    store(&file[at + 8], remote.value());
    at += entry_bytes;
  }
  store(&file[at], crc32c(byte_view{file}.first(at)));
  return file;
}

result<replication_origins> decode_replication_origins(byte_view file) {
  if (file.size() < 8 || (file.size() - 8) % entry_bytes != 0)
    return fail(errc::corrupt, fmt::format("{} has {} bytes, expected 8 and {} for each origin",
                                           replication_origins_file, file.size(), entry_bytes));
  const size_t end = file.size() - 4;
  if (const auto found = load<uint32_t>(file.data()); found != magic)
    return fail(errc::corrupt, fmt::format("{} begins with {:08X}, expected {:08X}",
                                           replication_origins_file, found, magic));
  const uint32_t expected = crc32c(file.first(end));
  if (const auto found = load<uint32_t>(&file[end]); found != expected)
    return fail(errc::corrupt, fmt::format("{} has the checksum {:08X}, expected {:08X}",
                                           replication_origins_file, found, expected));
  replication_origins origins;
  for (size_t at = 4; at < end; at += entry_bytes)
    origins[load<uint16_t>(&file[at])] = lsn{load<uint64_t>(&file[at + 8])};
  return origins;
}

}  // namespace zenith::backup
