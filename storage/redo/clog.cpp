// The CLOG resource manager: pages of pg_xact that begin and end (clog.c, clog_redo).
#include "storage/redo/control_data.hpp"
#include "storage/redo/counters.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/slru_pages.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/clog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

result<void> ingest_clog(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case CLOG_ZEROPAGE: {
      ZENITH_TRY_ASSIGN(const auto page_number, read_main<uint32_t>(record));
      sink.put_record(key::slru(slru_kind::xact, page_number), record_effect::initialises);
      return {};
    }
    case CLOG_TRUNCATE: {
      ZENITH_TRY_ASSIGN(const auto truncate, read_main<xl_clog_truncate>(record));
      // The server that wrote this moves its oldestXid right after it (vac_truncate_clog): one that
      // starts here must not look for statuses that are gone.
      ZENITH_TRY(change_control(sink, [&truncate](pg::control_file& control) {
        pg::checkpoint& limits = control.last_checkpoint;
        if (!transaction_id_precedes(limits.oldest_xid, truncate.oldestXact)) return;
        limits.oldest_xid = truncate.oldestXact;
        limits.oldest_xid_database = truncate.oldestXactDb;
      }));
      ZENITH_TRY_ASSIGN(const uint64_t next, current_next_full_xid(sink));
      return truncate_slru(sink, slru_kind::xact, static_cast<uint32_t>(truncate.pageno),
                           static_cast<uint32_t>(next) / xacts_per_page);
    }
    default:
      return fail(errc::unsupported, "the CLOG resource manager has no such operation");
  }
}

result<void> apply_clog(const pg::record& record, const pg::block_reference*, const key& k,
                        page& p) {
  ZENITH_TRY_ASSIGN(const auto page_number, read_main<uint32_t>(record));
  if (record.opcode() != CLOG_ZEROPAGE || k != key::slru(slru_kind::xact, page_number))
    return fail(errc::corrupt, "the record does not change this page");
  p.data.fill(std::byte{0});
  return {};
}

}  // namespace zenith::redo
