// Checkpoints in the shape of PostgreSQL's own struct, and as a WAL record.
#include "storage/postgres/checkpoint.hpp"

#include <fmt/format.h>

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/rmgr.h>
#include <access/xlogrecord.h>
#include <catalog/pg_control.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

#include "storage/postgres/checkpoint_layout.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::pg {

static_assert(sizeof(CheckPoint) == checkpoint_size_bytes);
static_assert(checkpoint_size_bytes <= 255, "the record has a short main data header");

bytes encode_checkpoint(const checkpoint& c) {
  bytes out(checkpoint_size_bytes);
  CheckPoint raw;
  std::memset(&raw, 0, sizeof raw);
  to_layout(c, raw);
  std::memcpy(out.data(), &raw, sizeof raw);
  return out;
}

result<checkpoint> decode_checkpoint(byte_view main_data) {
  if (main_data.size() < checkpoint_size_bytes)
    return fail(errc::corrupt, fmt::format("checkpoint: {} bytes, expected {}", main_data.size(),
                                           checkpoint_size_bytes));
  return from_layout(load<CheckPoint>(main_data.data()), main_data.data());
}

bytes build_shutdown_checkpoint_record(const checkpoint& c, lsn previous) {
  bytes raw(shutdown_checkpoint_record_size_bytes);
  std::byte* main_header = raw.data() + record_header_size_bytes;
  main_header[0] = std::byte{XLR_BLOCK_ID_DATA_SHORT};
  main_header[1] = std::byte{checkpoint_size_bytes};
  std::ranges::copy(encode_checkpoint(c), main_header + 2);

  wal_record_header header;
  header.total_length_bytes = shutdown_checkpoint_record_size_bytes;
  header.previous = previous.value();
  header.info = XLOG_CHECKPOINT_SHUTDOWN;
  header.rmgr = RM_XLOG_ID;
  store(raw.data(), header);
  header.crc = record_crc(raw);
  store(raw.data(), header);
  return raw;
}

}  // namespace zenith::pg
