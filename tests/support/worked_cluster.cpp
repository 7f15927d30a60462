// A stopped server's data directory that holds something of every kind.
#include "tests/support/worked_cluster.hpp"

namespace zenith::testing {

namespace {

constexpr const char* work = R"(
create table accounts (id int primary key, branch int, balance bigint, note text);
insert into accounts select i, i % 10, i * 7, repeat(md5(i::text), 3) from generate_series(1, 8000) i;
create index on accounts (branch);
create index on accounts using hash (note);
create index on accounts using brin (id);
update accounts set balance = balance + 1 where id % 3 = 0;
delete from accounts where id > 7000;
create table documents (id serial primary key, body text, words tsvector, place point);
insert into documents (body, words, place)
  select (select string_agg(md5((i * j)::text), ' ') from generate_series(1, 300) j),
         to_tsvector('simple', md5(i::text)), point(i, i) from generate_series(1, 200) i;
create index on documents using gin (words);
create index on documents using gist (place);
create index on documents using spgist (place);
create unlogged table scratch (id int primary key, v text);
insert into scratch select i, 'x' from generate_series(1, 500) i;
create table parent (id int primary key);
create table child (id int references parent);
insert into parent values (1), (2);
select pg_replication_origin_create('elsewhere');
select pg_replication_origin_advance('elsewhere', '0/ABCDEF0');
create extension amcheck;
)";

}  // namespace

worked_cluster::worked_cluster(const std::vector<std::string>& initdb) {
  const std::string configuration =
      "max_prepared_transactions = 5\nautovacuum = off\nallow_in_place_tablespaces = on\n"
      "max_connections = 37\n";
  server_ = std::make_unique<postgres_server>(directory_,
                                              postgres_server::options{initdb, configuration});
  server_->start();
  server_->execute("set client_min_messages = warning");
  for (const char* statement : {work, "create database second", "vacuum (freeze, analyze) accounts",
                                "begin; insert into accounts values (100001, 1, 5, 'prepared')",
                                "prepare transaction 'kept'"})
    server_->execute(statement);
  const auto place = directory_ / "place";
  std::filesystem::create_directory(place);
  give_to_database_user(place);
  server_->execute("create tablespace elsewhere location '" + place.string() + "'");
  server_->execute("create table far (id int primary key) tablespace elsewhere");
  server_->execute("insert into far select generate_series(1, 3000)");
  tablespace_ = static_cast<uint32_t>(
      std::stoul(server_->value("select oid from pg_tablespace where spcname = 'elsewhere'")));
  {
    sql_session second{server_->conninfo("second")};
    second.execute("create table here as select generate_series(1, 100) as id");
  }
  // Two sessions that share the lock of a row leave a multixact.
  sql_session one{server_->conninfo()};
  sql_session two{server_->conninfo()};
  for (sql_session* session : {&one, &two}) {
    session->execute("begin");
    session->execute("insert into child values (1)");
  }
  one.execute("commit");
  two.execute("commit");
  facts_ = facts_of(*server_);
  server_->stop();
}

std::vector<std::string> worked_cluster::facts_of(postgres_server& server) {
  std::vector<std::string> facts;
  for (const char* query :
       {"select count(*) || ' ' || sum(balance) || ' ' || md5(string_agg(note, '' order by id)) "
        "from accounts",
        "select count(*) || ' ' || sum(length(body)) from documents",
        "select last_value || ' ' || is_called from documents_id_seq",
        "select count(*) || ' ' || sum(id) from far", "select count(*) from child",
        "select string_agg(gid, ',') from pg_prepared_xacts",
        "select string_agg(datname, ',' order by datname) from pg_database",
        "select string_agg(external_id || remote_lsn, ',') from pg_replication_origin_status"})
    facts.push_back(server.value(query));
  sql_session second{server.conninfo("second")};
  facts.push_back(second.value("select sum(id) from here"));
  return facts;
}

}  // namespace zenith::testing
