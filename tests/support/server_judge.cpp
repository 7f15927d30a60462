// Asking a server, and PostgreSQL's own programs about it.
#include "tests/support/server_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {
namespace {

// What DROP DATABASE was interrupted in, has a limit of -2 and refuses connections.
std::vector<std::string> databases_of(const connector& server) {
  std::vector<std::string> names;
  for (const auto& row :
       sql_session(server("postgres"))
           .rows("select datname from pg_database where datallowconn and datconnlimit <> -2 "
                 "order by datname"))
    names.push_back(row[0]);
  return names;
}

// Copies of rows that are there, so that it fits any table; what a table's own constraints refuse
// is refused rightly.
constexpr const char* work_on_tables = R"(
do $$
declare
  t record;
  s regclass;
begin
  for t in
    select c.oid::regclass as name,
           string_agg(quote_ident(attname), ', ' order by attnum) as columns,
           (array_agg(quote_ident(attname) order by attnum))[1] as first
    from pg_class c join pg_namespace n on n.oid = relnamespace join pg_attribute on attrelid = c.oid
    where relkind in ('r', 'p') and relpersistence <> 't' and attnum > 0 and not attisdropped
      and attgenerated = '' and attidentity <> 'a'
      and nspname <> 'information_schema' and nspname !~ '^pg_'
    group by c.oid order by c.oid
  loop
    begin
      execute format('insert into %s (%s) select %s from %s limit 20 on conflict do nothing',
                     t.name, t.columns, t.columns, t.name);
    exception when integrity_constraint_violation then null;
    end;
    begin
      execute format('update %s set %s = %s where ctid = any (array(select ctid from %s limit 20))',
                     t.name, t.first, t.first, t.name);
    exception when integrity_constraint_violation then null;
    end;
    begin
      execute format('delete from %s where ctid = any (array(select ctid from %s offset 3 limit 5))',
                     t.name, t.name);
    exception when integrity_constraint_violation then null;
    end;
    execute format('select 1 from (select from %s limit 10 for update) x', t.name);
  end loop;
  for s in select oid from pg_class where relkind = 'S' and relpersistence <> 't' loop
    perform nextval(s) from pg_sequence where seqrelid = s and not seqcycle;
  end loop;
end
$$)";

constexpr const char* new_objects[] = {
    R"(create table work (id int primary key, v text, p point, r int4range, a int[], w tsvector))",
    "create index on work using hash (v)",
    "create index on work using gist (p)",
    "create index on work using gist (r)",
    "create index on work using spgist (p)",
    "create index on work using brin (id)",
    "create index on work using gin (a)",
    "create index on work using gin (w)",
    R"(insert into work select i, repeat(md5(i::text), 1 + i % 90), point(i, i), int4range(i, i + 9),
       array[i % 7, i], to_tsvector('simple', md5(i::text)) from generate_series(1, 400) i)",
    "update work set v = v || 'x', p = point(id, 1) where id % 3 = 0",
    "delete from work where id % 5 = 0",
    "vacuum (freeze) work",
    "select lo_put(lo_create(0), 0, repeat('large', 1000)::bytea)",
    "create unlogged table work_unlogged as select * from generate_series(1, 100)",
    "create table work_parts (id int) partition by range (id)",
    "create table work_part partition of work_parts for values from (0) to (1000)",
    "insert into work_parts select generate_series(0, 500)",
    "create materialized view work_view as select count(*) from work",
    "truncate work_parts",
    "create database work_logged strategy wal_log",
    "create database work_copied strategy file_copy",
    "drop database work_logged",
    "begin; savepoint a; insert into work_parts values (1); savepoint b; "
    "insert into work_parts values (2); rollback to b; commit",
    "begin; insert into work_parts select generate_series(10, 20); "
    "select from work where id < 5 for share; prepare transaction 'work'",
};

// A tablespace lies where its server has it.
size_t comparable_part_of(std::string_view line) {
  return line.starts_with("CREATE TABLESPACE ") ? line.find(" LOCATION ") : line.size();
}

}  // namespace

std::string end_what_is_under_way(const connector& server) {
  sql_session session(server("postgres"));
  std::string all;
  bool commits = true;
  for (const auto& row :
       session.rows("select gid, quote_literal(gid), database, owner, transaction, prepared "
                    "from pg_prepared_xacts order by gid")) {
    sql_session(server(row[2]))
        .execute((commits ? "commit prepared " : "rollback prepared ") + row[1]);
    all += fmt::format("{} in {} of {}, xid {}, {}\n", row[0], row[2], row[3], row[4], row[5]);
    commits = !commits;
  }
  for (const auto& row :
       session.rows("select quote_ident(spcname) from pg_tablespace where spcname !~ '^pg_' and "
                    "pg_stat_file('pg_tblspc/' || oid, true) is null order by spcname")) {
    session.execute("drop tablespace " + row[0]);
    all += "tablespace " + row[0] + "\n";
  }
  return all;
}

std::string dump_of(const connector& server) {
  const std::string text =
      run_ok({pg_program("pg_dumpall"), "-d", server("postgres"), "--restrict-key=same"});
  std::string all;
  all.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string_view line = std::string_view(text).substr(at, end - at);
    all += line.substr(0, comparable_part_of(line));
    at = end;
  }
  return all;
}

std::string complaints_of(const connector& server) {
  const command_result ran =
      run({pg_program("pg_amcheck"), "--all", "--install-missing", "--heapallindexed",
           "--parent-check", "--maintenance-db=" + server("postgres")});
  std::string all = ran.output + ran.errors;
  if (ran.exit_code != 0 && all.empty()) all = fmt::format("exit code {}", ran.exit_code);
  return all;
}

void work_on(const connector& server) {
  for (const std::string& database : databases_of(server)) {
    sql_session session(server(database));
    session.execute(work_on_tables);
    session.execute("vacuum (freeze)");
  }
  sql_session session(server("postgres"));
  for (const char* statement : new_objects) session.execute(statement);
}

std::string contents_of(const connector& server) {
  std::string all;
  for (const std::string& database : databases_of(server))
    for (const auto& row :
         sql_session(server(database))
             .rows("select oid::regclass, query_to_xml(format('select count(*), "
                   "sum(hashtext(x::text)::bigint) from %s x', oid::regclass), false, true, '') "
                   "from pg_class where relkind in ('r', 'm') and relpersistence <> 't' "
                   "and oid >= 16384 order by oid"))
      all += database + "." + row[0] + " " + row[1] + "\n";
  return all;
}

}  // namespace zenith::testing
