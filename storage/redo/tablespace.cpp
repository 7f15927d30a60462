// The tablespace resource manager: which tablespaces there are (tablespace.c, tblspc_redo).
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <commands/tablespace.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

result<void> ingest_tablespace(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case XLOG_TBLSPC_CREATE: {
      record_reader reader(record.main_data);
      ZENITH_TRY_ASSIGN(const auto oid, reader.take<uint32_t>());
      const auto path_end = as_text(reader.rest()).find('\0');
      if (path_end == std::string_view::npos)
        return fail(errc::corrupt, "the tablespace's path does not end inside the record");
      const auto path = reader.rest().first(path_end);
      sink.put_value(key::tablespace(oid), bytes(path.begin(), path.end()));
      return {};
    }
    case XLOG_TBLSPC_DROP: {
      ZENITH_TRY_ASSIGN(const auto drop, read_main<xl_tblspc_drop_rec>(record));
      sink.put_absent(key::tablespace(drop.ts_id));
      return {};
    }
    default:
      return fail(errc::unsupported, "the tablespace resource manager has no such operation");
  }
}

}  // namespace zenith::redo
