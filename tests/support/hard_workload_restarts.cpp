// hard_workload: prepared transactions that live over stops, crashes and the end of the run.
#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {
namespace {

/// A transaction that holds something of each kind, ended by prepare.
void prepare(sql_session& session, const std::string& name, int subtransactions) {
  run_each(session, {"begin", fmt::format("insert into accounts values (default, '{}')", name),
                     fmt::format("create table made_by_{} (id int primary key)", name),
                     "select from accounts where id = 1 for key share",
                     fmt::format("drop table dropped_by_{}", name)});
  for (int i = 0; i < subtransactions; ++i)
    run_each(session, {fmt::format("savepoint s{}", i),
                       "update accounts set v = v || '.' where "
                       "id = (select max(id) from accounts)"});
  session.execute(fmt::format("prepare transaction '{}'", name));
}

void end_prepared(sql_session& session, const char* how, const std::string& name) {
  session.execute(fmt::format("{} prepared '{}'", how, name));
}

/// Open transactions, none of which is committed when the server goes.
void crash_amid_work(workload_run& run, const std::string& conninfo) {
  workload_session open(conninfo, "restarts"), writer(conninfo, "restarts");
  run_each(open,
           {"begin", "insert into accounts values (default, 'lost')", "savepoint s",
            "insert into accounts select 100000 + i, 'lost too' from generate_series(1, 50) i",
            "create table lost as select * from accounts"});
  writer.execute("insert into accounts values (default, 'flushed')");
  run_each(writer, {"set synchronous_commit = off",
                    "insert into accounts values (default, 'may be lost')"});
  run.host.crash();
}

}  // namespace

void work_on_restarts(workload_run& run) {
  const auto conninfo = [&run] { return run.host.conninfo(hard_database); };
  const int depth = run.tiny() ? 2 : run.number(66, 90);
  {
    workload_session session(conninfo(), "restarts");
    run_each(session, {"create table accounts (id serial primary key, v text)",
                       "insert into accounts (v) select 'a' from generate_series(1, 20)",
                       "create unlogged table forgotten as select * from accounts"});
    for (const char* name : {"first", "second", "third", "fourth", "kept"})
      session.execute(fmt::format("create table dropped_by_{} (id serial primary key)", name));
    for (const char* name : {"first", "second", "third"}) prepare(session, name, depth);
    end_prepared(session, "commit", "first");
  }
  run.host.restart();
  {
    workload_session session(conninfo(), "restarts");
    end_prepared(session, "rollback", "second");
    prepare(session, "fourth", 1);
  }
  crash_amid_work(run, conninfo());
  {
    workload_session session(conninfo(), "restarts");
    end_prepared(session, "commit", "third");
    end_prepared(session, "commit", "fourth");
    prepare(session, "kept", depth);
    run_each(session,
             {"insert into forgotten values (0, 'after the crash')",
              "begin; select from accounts where id between 2 and 5 for share; "
              "savepoint s; select from accounts where id between 2 and 5 for update; commit"});
  }
}

}  // namespace zenith::testing
