// Making pgbench's tables on a server of a node's own.
#include "bench/support/pgbench_node.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/support/postgres_server.hpp"

namespace zenith::bench {

pgbench_node::pgbench_node(const std::string& scale) {
  repository.init_and_start();
  const auto compute = repository.run_ok({"pg", "create", "main", "--start"});
  uri = compute["uri"];
  timeline = compute["timeline"];
  testing::sql_session session(uri);
  session.execute("alter system set autovacuum = off");
  session.execute("select pg_reload_conf()");
  session.execute("create extension pageinspect");
  const auto pgbench = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), testing::pg_program("pgbench"));
    arguments.push_back(uri);
    testing::run_ok(arguments);
  };
  pgbench({"-i", "-q", "-s", scale});
  pgbench({"-n", "-c", "4", "-t", "5000"});
  session.execute("checkpoint");

  const auto row = session.rows(
      "select pg_current_wal_flush_lsn(), pg_relation_filepath(c.oid), d.oid, c.relfilenode, "
      "pg_relation_size(c.oid) / 8192 from pg_class c, pg_database d "
      "where c.relname = 'pgbench_accounts' and d.datname = current_database()");
  at = parse_lsn(row.at(0).at(0)).value();
  file = std::filesystem::path(compute["data_directory"].get<std::string>()) / row[0][1];
  relation = {1663, static_cast<uint32_t>(std::stoul(row[0][2])),
              static_cast<uint32_t>(std::stoul(row[0][3]))};
  blocks.resize(std::stoul(row[0][4]));
  std::iota(blocks.begin(), blocks.end(), block_number{0});
  std::shuffle(blocks.begin(), blocks.end(), std::minstd_rand(1));
  socket = repository.zenith_directory() / "run";
  // "host='FOLDER' port=6400": libpq's name for the socket FOLDER/.s.PGSQL.6400.
  const std::string address = repository.run_ok({"status"})["page_address"];
  socket /= ".s.PGSQL." + address.substr(address.rfind('=') + 1);
}

}  // namespace zenith::bench
