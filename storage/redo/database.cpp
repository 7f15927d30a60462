// The database resource manager: databases made by copying, made empty, dropped (dbcommands.c).
#include <fmt/format.h>

#include <vector>

#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <commands/dbcommands_xlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

/// A database's folder in one tablespace.
struct database_folder {
  uint32_t tablespace = 0;
  uint32_t database = 0;
};

/// The sizes of all forks in the folder.
result<std::vector<key>> forks_in(change_sink& sink, database_folder folder) {
  const relation_id first{folder.tablespace, folder.database, 0};
  const relation_id last{folder.tablespace, folder.database, UINT32_MAX};
  return sink.current_keys(key::size(first, all_forks.front()), key::size(last, all_forks.back()));
}

/// `k` of one folder as it is called in another.
relation_id moved(const key& k, database_folder to) { return {to.tablespace, to.database, k.c}; }

/// copydir of every file of the source's folder, after the target's was removed.
result<void> copy_folder(const pg::record& record, change_sink& sink, database_folder from,
                         database_folder to) {
  ZENITH_TRY_ASSIGN(const auto replaced, forks_in(sink, to));
  for (const key& k : replaced) {
    ZENITH_TRY_ASSIGN(const auto source, sink.current_relation(moved(k, from), k.relation_fork()));
    if (!source) sink.put_relation(k.relation(), k.relation_fork(), std::nullopt);
  }
  ZENITH_TRY_ASSIGN(const auto copied, forks_in(sink, from));
  for (const key& k : copied) {
    ZENITH_TRY_ASSIGN(const auto source, sink.current_relation(k.relation(), k.relation_fork()));
    if (!source) continue;
    // Copies get the record's end as their LSN: nothing in the target is older.
    auto target = relation_state::created(record.start);
    target.extend(source->blocks());
    sink.put_relation(moved(k, to), k.relation_fork(), target);
    sink.put_copy(key::all_blocks(moved(k, to), k.relation_fork()),
                  key::all_blocks(k.relation(), k.relation_fork()));
  }
  return {};
}

/// Copies a value, or makes it absent where there is none to copy.
result<void> copy_value(change_sink& sink, const key& from, const key& to) {
  ZENITH_TRY_ASSIGN(auto value, sink.current(from));
  if (value) {
    sink.put_value(to, std::move(*value));
  } else {
    sink.put_absent(to);
  }
  return {};
}

result<void> ingest_copy(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto create, read_main<xl_dbase_create_file_copy_rec>(record));
  const database_folder from{create.src_tablespace_id, create.src_db_id};
  const database_folder to{create.tablespace_id, create.db_id};
  if (from.tablespace == to.tablespace && from.database == to.database)
    return fail(errc::corrupt,
                fmt::format("the record copies database {} onto itself", from.database));
  ZENITH_TRY(copy_folder(record, sink, from, to));
  ZENITH_TRY(copy_value(sink, key::relation_map(from.tablespace, from.database),
                        key::relation_map(to.tablespace, to.database)));
  return copy_value(sink, key::database(from.tablespace, from.database),
                    key::database(to.tablespace, to.database));
}

result<void> ingest_drop(const pg::record& record, change_sink& sink) {
  record_reader reader(record.main_data);  // xl_dbase_drop_rec
  ZENITH_TRY_ASSIGN(const auto database, reader.take<uint32_t>());
  ZENITH_TRY_ASSIGN(const auto tablespaces, reader.take<int32_t>());
  for (int i = 0; i < tablespaces; ++i) {
    ZENITH_TRY_ASSIGN(const auto tablespace, reader.take<uint32_t>());
    ZENITH_TRY_ASSIGN(const auto forks, forks_in(sink, {tablespace, database}));
    for (const key& k : forks) sink.put_relation(k.relation(), k.relation_fork(), std::nullopt);
    sink.put_absent(key::relation_map(tablespace, database));
    sink.put_absent(key::database(tablespace, database));
  }
  return {};
}

}  // namespace

result<void> ingest_database(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case XLOG_DBASE_CREATE_FILE_COPY:
      return ingest_copy(record, sink);
    case XLOG_DBASE_CREATE_WAL_LOG: {
      ZENITH_TRY_ASSIGN(const auto create, read_main<xl_dbase_create_wal_log_rec>(record));
      sink.put_value(key::database(create.tablespace_id, create.db_id), {});
      return {};
    }
    case XLOG_DBASE_DROP:
      return ingest_drop(record, sink);
    default:
      return fail(errc::unsupported, "the database resource manager has no such operation");
  }
}

}  // namespace zenith::redo
