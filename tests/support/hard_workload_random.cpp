// hard_workload: statements by chance, from several sessions at once, on tables with all indexes.
#include <algorithm>
#include <array>
#include <memory>

#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {
namespace {

constexpr int tables = 3;

void make_tables(workload_run& run, sql_session& session) {
  for (int table = 0; table < tables; ++table) {
    session.execute(
        fmt::format("create table r{} (id int primary key, n int, t text, a int[], "
                    "p point) with (fillfactor = {})",
                    table, run.number(4, 10) * 10));
    for (const char* index : {"btree (n)", "btree (t, n)", "hash (t)", "gin (a)", "gist (p)",
                              "spgist (p)", "spgist (t)", "brin (n)"})
      if (run.tiny() ? table == 0 : run.number(0, 2) > 0)
        session.execute(fmt::format("create index on r{} using {}", table, index));
  }
}

/// A few sessions, each inside or outside a transaction. Nobody waits: what another one has locked
/// is an error after a moment, and rolls the transaction back.
class random_sessions {
 public:
  explicit random_sessions(workload_run& run) : run_(run) {
    for (auto& one : sessions_) {
      one.session =
          std::make_unique<workload_session>(run.host.conninfo(hard_database), "random_rows");
      one.session->execute("set lock_timeout = '2ms'");
    }
  }

  void step() {
    auto& one =
        sessions_[static_cast<size_t>(run_.number(0, static_cast<int>(sessions_.size()) - 1))];
    try {
      one.session->execute(next_statement(one));
    } catch (const std::exception&) {
      one.session->execute("rollback");
      one.savepoints = -1;
    }
  }

 private:
  struct state {
    std::unique_ptr<workload_session> session;
    int savepoints = -1;  // -1: in no transaction
  };

  std::string next_statement(state& one) {
    const int kind = run_.number(0, 99);
    if (one.savepoints < 0 && kind < 30) {
      one.savepoints = 0;
      return "begin";
    }
    if (one.savepoints >= 0 && kind < 12) return end_or_nest(one);
    if (one.savepoints < 0 && kind >= 96) return vacuum();
    return change();
  }

  std::string end_or_nest(state& one) {
    const int kind = run_.number(0, 5);
    if (kind < 3) {
      one.savepoints = -1;
      return kind == 0 ? "rollback" : "commit";
    }
    if (kind == 3 && one.savepoints > 0)
      return fmt::format("rollback to s{}", run_.number(1, one.savepoints));
    return fmt::format("savepoint s{}", ++one.savepoints);
  }

  /// Vacuum would wait for seconds to give back the end of a table that another one uses.
  std::string vacuum() {
    const bool alone = std::ranges::all_of(sessions_, [](auto& s) { return s.savepoints < 0; });
    return fmt::format("vacuum (truncate {}, {}) r{}", alone,
                       run_.one_of({"freeze", "analyze", "index_cleanup on", "index_cleanup off"}),
                       table());
  }

  std::string change() {
    const int first = run_.number(1, 3000);
    const int last = first + run_.number(0, run_.tiny() ? 5 : 60);
    const auto range = fmt::format("id between {} and {}", first, last);
    switch (run_.number(0, 9)) {
      case 0:
      case 1:
      case 2:
        return fmt::format(
            "insert into r{} select i, i % {}, repeat(md5((i * {})::text), {}), array[i, i % {}], "
            "point(i % {}, {}) from generate_series({}, {}) i on conflict {}",
            table(), run_.number(1, 200), run_.number(1, 99), run_.number(0, 12),
            run_.number(1, 30), run_.number(1, 90), run_.number(0, 90), first, last,
            run_.one_of({"do nothing", "(id) do update set n = excluded.n"}));
      case 3:
      case 4:
        return fmt::format(
            "update r{} set {} where {}", table(),
            run_.one_of({"n = n + 1", "t = md5(t)", "a = array_append(a, n)", "p = point(n, id)",
                         "t = t || 'longer', n = null", "id = id + 5000", "t = left(t, 3)"}),
            range);
      case 5:
      case 6:
        return fmt::format("delete from r{} where {}", table(), range);
      case 7:
        return fmt::format("select count(*) from r{} where {}", table(),
                           run_.one_of({"n between 10 and 50", "t < '5'", "a @> array[3]",
                                        "p <@ box(point(0, 0), point(40, 90))", "id > 2500"}));
      default:
        return fmt::format("select from r{} where {} for {}", table(), range,
                           run_.one_of({"key share", "share", "no key update", "update"}));
    }
  }

  int table() { return run_.number(0, tables - 1); }

  workload_run& run_;
  std::array<state, 4> sessions_;
};

}  // namespace

void work_on_random_rows(workload_run& run) {
  {
    workload_session session(run.host.conninfo(hard_database), "random_rows");
    make_tables(run, session);
  }
  // In the second half nothing of the first is in the server's memory.
  for (const bool again : {false, true}) {
    {
      random_sessions sessions(run);
      for (int steps = run.tiny() ? 60 : 700; steps > 0; --steps) sessions.step();
    }
    if (!again) run.host.crash();
  }
}

}  // namespace zenith::testing
