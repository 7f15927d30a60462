// The fixture itself: a server starts, answers, survives being killed, and stops.
#include "tests/support/postgres_server.hpp"

#include <gtest/gtest.h>

namespace zenith::testing {
namespace {

TEST(postgres_server, answers_after_a_start_a_kill_and_a_clean_stop) {
  temporary_directory directory;
  postgres_server server(directory, postgres_server::options{{}, "fsync = off"});
  server.start();
  server.execute("create table t(a int); insert into t values (1), (2); checkpoint;");
  EXPECT_EQ(server.value("select sum(a) from t"), "3");
  server.kill();
  server.start();
  EXPECT_EQ(server.value("select sum(a) from t"), "3");
  server.stop();
  EXPECT_FALSE(server.running());
  EXPECT_NE(server.log().find("database system is shut down"), std::string::npos);
}

TEST(process, a_failing_program_gives_its_exit_code_and_words) {
  const auto result = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_THROW(run_ok({"false"}), std::runtime_error);
}

}  // namespace
}  // namespace zenith::testing
