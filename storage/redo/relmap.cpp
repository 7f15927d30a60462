// The relation map resource manager: which files the mapped catalogs have (relmapper.c).
#include <fmt/format.h>

#include "storage/postgres/relation_map.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <utils/relmapper.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

/// relmap_redo: the record has the whole file.
result<void> ingest_relmap(const pg::record& record, change_sink& sink) {
  if (record.opcode() != XLOG_RELMAP_UPDATE)
    return fail(errc::unsupported, "the relation map manager has no such operation");
  record_reader reader(record.main_data);  // xl_relmap_update
  ZENITH_TRY_ASSIGN(const auto database, reader.take<uint32_t>());
  ZENITH_TRY_ASSIGN(const auto tablespace, reader.take<uint32_t>());
  ZENITH_TRY_ASSIGN(const auto size_bytes, reader.take<int32_t>());
  if (size_bytes != static_cast<int32_t>(pg::relation_map_size_bytes))
    return fail(errc::corrupt, fmt::format("a relation map has {} bytes, {} expected", size_bytes,
                                           pg::relation_map_size_bytes));
  ZENITH_TRY_ASSIGN(const auto map, reader.take(pg::relation_map_size_bytes));
  ZENITH_TRY(pg::decode_relation_map(map));
  sink.put_value(key::relation_map(tablespace, database), bytes(map.begin(), map.end()));
  return {};
}

}  // namespace zenith::redo
