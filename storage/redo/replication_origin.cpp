// The replication origin resource manager (origin.c).
#include "storage/redo/replication_origin.hpp"

#include <fmt/format.h>

#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <replication/origin.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

result<void> advance_replication_origin(change_sink& sink, uint16_t origin, lsn remote,
                                        bool go_backward) {
  if (origin == DoNotReplicateId || origin == InvalidRepOriginId) return {};
  const key k = key::replication_origin(origin);
  ZENITH_TRY_ASSIGN(const auto before, sink.current(k));
  if (before) {
    if (before->size() != sizeof(uint64_t))
      return fail(errc::corrupt,
                  fmt::format("{} has {} bytes, 8 expected", to_string(k), before->size()));
    const lsn position{load<uint64_t>(before->data())};
    if (position == remote || (!go_backward && position > remote)) return {};
  }
  bytes value(sizeof(uint64_t));
  store(value.data(), remote.value());
  sink.put_value(k, std::move(value));
  return {};
}

result<void> ingest_replication_origin(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case XLOG_REPLORIGIN_SET: {
      ZENITH_TRY_ASSIGN(const auto set, read_main<xl_replorigin_set>(record));
      return advance_replication_origin(sink, set.node_id, lsn{set.remote_lsn},
                                        main_flag(record, offsetof(xl_replorigin_set, force)));
    }
    case XLOG_REPLORIGIN_DROP: {
      ZENITH_TRY_ASSIGN(const auto drop, read_main<xl_replorigin_drop>(record));
      sink.put_absent(key::replication_origin(drop.node_id));
      return {};
    }
    default:
      return fail(errc::unsupported, "the replication origin manager has no such operation");
  }
}

}  // namespace zenith::redo
