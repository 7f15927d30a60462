// Records of an extension's own resource manager: the pages that they change are refused until
// their next full image, with the manager's number, and nothing else is.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fstream>

#include "tests/support/files.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

constexpr int touched_byte = 8100;  // inside the first row of each page

class extension_records : public ::testing::Test {
 protected:
  extension_records() {
    const fs::path module = repository.scratch() / "custom_rmgr.so";
    fs::copy_file(ZENITH_CUSTOM_RMGR, module);
    give_to_database_user(module);
    repository.init_and_start();
    repository.run_ok({"pg", "create", "main"});
    const fs::path pgdata = repository.zenith_directory() / "computes" / "main" / "pgdata";
    std::ofstream(pgdata / "postgresql.conf", std::ios::app)
        << "\nshared_preload_libraries = '" << module.string() << "'\nautovacuum = off\n";
    repository.run_ok({"pg", "start", "main"});
    main = std::make_unique<sql_session>(repository.conninfo("main"));
    main->execute(
        fmt::format("create function touch(regclass, int, int, int, bool) returns pg_lsn "
                    "as '{0}', 'touch' language c strict;"
                    "create function touch_nothing() returns pg_lsn as '{0}' language c",
                    module.string()));
    // Seven rows a page, so that a page ends with a row's text.
    main->execute(
        "create table t (i int, v text); alter table t alter v set storage plain;"
        "insert into t select i, repeat('x', 1100) from generate_series(0, 34) i;"
        "checkpoint");
    file = main->value(
        "select (select oid from pg_tablespace where spcname = 'pg_default') || '/' "
        "|| (select oid from pg_database where datname = current_database()) || '/' "
        "|| pg_relation_filenode('t')");
  }

  std::string touch(int block, char letter, bool with_image) {
    return main->value(fmt::format("select touch('t', {}, {}, {}, {})", block, touched_byte,
                                   static_cast<int>(letter), with_image));
  }
  /// The end of what is written, with everything before it in the node.
  std::string now() const { return repository.run_ok({"lsn", "main"})["lsn"]; }
  zenith_result page(const std::string& lsn, int block) const {
    const auto out = repository.scratch() / "page";
    return repository.run(
        {"page", "main@" + lsn, file, "main", std::to_string(block), "--out", out.string()});
  }
  void expect_byte(const std::string& lsn, int block, char letter) const {
    const auto read = page(lsn, block);
    ASSERT_EQ(read.exit_code, 0) << read.errors;
    const bytes data = read_file(repository.scratch() / "page");
    ASSERT_EQ(data.size(), page_size_bytes);
    EXPECT_EQ(static_cast<char>(data[touched_byte]), letter);
  }
  void expect_refused(const zenith_result& done) const {
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_NE(done.errors.find("resource manager 128"), std::string::npos) << done.errors;
  }

  zenith_repository repository;
  std::unique_ptr<sql_session> main;
  std::string file;
};

TEST_F(extension_records, make_their_pages_unreadable_until_the_next_full_image_and_nothing_else) {
  const std::string before = now();
  touch(1, 'a', /*with_image=*/false);
  touch(2, 'b', /*with_image=*/true);
  main->execute("select touch_nothing()");
  main->execute("update t set v = repeat('y', 1100) where i = 0");
  const std::string touched = now();

  const auto refused = page(touched, 1);
  expect_refused(refused);
  EXPECT_NE(refused.errors.find(file + " main block 1"), std::string::npos) << refused.errors;
  expect_byte(before, 1, 'x');
  expect_byte(touched, 2, 'b');
  for (const int other : {0, 3, 4}) expect_byte(touched, other, 'x');

  // Ingest goes on, the node says what it does not understand, and nothing is made from it.
  const auto status = repository.run_ok({"status"});
  EXPECT_NE(status["timelines"][0]["problem"].get<std::string>().find("resource manager 128"),
            std::string::npos)
      << status;
  EXPECT_EQ(status["timelines"][0]["state"], "open");
  repository.run_ok({"branch", "spoiled", "main@" + touched});
  expect_refused(repository.run({"pg", "create", "spoiled"}));
  expect_refused(repository.run({"export", "spoiled", repository.scratch() / "export"}));

  // The first change of a page after a checkpoint carries its image.
  main->execute("checkpoint; delete from t where i = 7");
  expect_byte(now(), 1, 'a');
  expect_refused(page(touched, 1));
  repository.run_ok({"branch", "healed"});
  repository.run_ok({"pg", "create", "healed", "--start"});
  sql_session healed(repository.conninfo("healed"));
  const std::string sums = "select count(*), md5(string_agg(v, '' order by i, v)) from t";
  EXPECT_EQ(healed.rows(sums), main->rows(sums));
}

}  // namespace
}  // namespace zenith::testing
