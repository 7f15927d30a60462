// check_consistency_images from the setting to `status`, with a server that checks and one that
// has a page which its WAL does not explain.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

class checked_images : public ::testing::Test {
 protected:
  void start() {
    repository.init({{"check_consistency_images", "on"}});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "create", "main", "--start"});
    sql_session session(main());
    session.execute("alter system set wal_consistency_checking = 'all'");
    session.execute("alter system set full_page_writes = off");
    session.execute("select pg_reload_conf()");
  }
  std::string main() const { return repository.conninfo("main"); }
  /// The branch's line, once the node has all that the server wrote.
  nlohmann::json status_of_main() const {
    repository.run_ok({"lsn", "main"});
    return repository.run_ok({"status"})["timelines"][0];
  }
  static size_t count(const std::string& in, const std::string& text) {
    size_t found = 0;
    for (size_t at = in.find(text); at != std::string::npos; at = in.find(text, at + 1)) ++found;
    return found;
  }

  zenith_repository repository;
};

TEST_F(checked_images, of_a_running_server_are_counted_and_none_differs) {
  start();
  run_ok({pg_program("pgbench"), "-i", "-q", "-s", "1", main()});
  run_ok({pg_program("pgbench"), "-n", "-c", "2", "-t", "300", main()});
  const auto seen = status_of_main();
  EXPECT_GT(seen["images_checked"].get<int>(), 3000) << seen;
  EXPECT_EQ(seen["image_mismatches"], 0) << seen;
  EXPECT_EQ(seen["image_failures"], 0) << seen;
  EXPECT_TRUE(seen["problem"].is_null()) << seen;
  const auto text = repository.run_text({"status"}).output;
  EXPECT_NE(text.find("images checked, 0 mismatches"), std::string::npos) << text;

  // WAL that no layer file holds yet is taken in again, and checked again.
  repository.kill_node();
  repository.run_ok({"start"});
  const auto again = status_of_main();
  EXPECT_GT(again["images_checked"].get<int>(), 0) << again;
  EXPECT_EQ(again["image_mismatches"], 0) << again;

  repository.run_ok({"stop"});
  repository.run_ok({"config", "check_consistency_images", "off"});
  repository.run_ok({"start"});
  EXPECT_EQ(status_of_main()["images_checked"], 0);
}

TEST_F(checked_images, show_a_page_that_changed_under_the_server_once_with_its_byte) {
  start();
  std::string file;
  {
    sql_session session(main());
    session.execute("create table t (v text)");
    session.execute("insert into t values ('a needle in it')");
    file = session.value("select pg_relation_filepath('t')");
  }
  repository.run_ok({"pg", "stop", "main"});
  EXPECT_EQ(status_of_main()["image_mismatches"], 0);
  const fs::path table = repository.zenith_directory() / "computes/main/pgdata" / file;
  std::ostringstream contents;
  contents << std::ifstream(table, std::ios::binary).rdbuf();
  const size_t at = contents.str().find("needle");
  ASSERT_LT(at, size_t{8192});
  std::fstream(table, std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(at))
      .put('N');

  repository.run_ok({"pg", "start", "main"});
  {
    sql_session session(main());
    for (const char* word : {"one", "two", "three"})
      session.execute(std::string("insert into t values ('") + word + "')");
  }
  const auto seen = status_of_main();
  EXPECT_EQ(seen["image_mismatches"], 1) << seen;
  const std::string what =
      "first at byte " + std::to_string(at) + ": redo gives 0x6e, the server has 0x4e";
  EXPECT_NE(seen["problem"].get<std::string>().find(what), std::string::npos) << seen;
  EXPECT_NE(seen["problem"].get<std::string>().find("Heap/INSERT at "), std::string::npos) << seen;
  EXPECT_EQ(count(repository.node_log(), what), 1u) << repository.node_log();
}

}  // namespace
}  // namespace zenith::testing
