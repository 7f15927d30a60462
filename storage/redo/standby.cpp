// The standby resource manager: it serves queries on a hot standby, and moves only counters.
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <storage/standbydefs.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

/// standby_redo (standby.c). The next transaction id of RUNNING_XACTS is taken by counters.cpp.
result<void> ingest_standby(const pg::record& record, change_sink&) {
  switch (record.opcode()) {
    case XLOG_STANDBY_LOCK:
    case XLOG_RUNNING_XACTS:
    case XLOG_INVALIDATIONS:
      return {};
    default:
      return fail(errc::unsupported, "the standby resource manager has no such operation");
  }
}

}  // namespace zenith::redo
