// Programs and servers as the node sees them from outside.
#include "actors/processes.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "actors/sockets.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::actors {
namespace {

void write_text(const std::filesystem::path& name, const std::string& text) {
  std::ofstream out(name);
  out << text;
  ASSERT_TRUE(out.flush());
}

TEST(running_server, is_none_without_a_pid_file_or_with_a_stale_one) {
  const testing::temporary_directory directory;
  EXPECT_FALSE(running_server(directory.path()));
  const auto pid_file = directory / "postmaster.pid";
  // Empty, no number, no process has it, nobody's, and a process that works somewhere else.
  for (const std::string& text :
       {std::string(), std::string("garbage"), std::string("999999999\n"), std::string("-1\n"),
        std::string("0\n"), std::to_string(getpid()) + "\n"}) {
    write_text(pid_file, text);
    EXPECT_FALSE(running_server(directory.path())) << text;
  }
}

TEST(running_server, is_the_one_that_works_in_the_directory_until_it_is_gone) {
  const testing::temporary_directory directory;
  testing::postgres_server server(directory, testing::postgres_server::options{});
  EXPECT_FALSE(running_server(server.data()));
  server.start();
  ASSERT_TRUE(running_server(server.data()));
  EXPECT_EQ(*running_server(server.data()), server.process());
  // A killed server leaves its file.
  server.kill();
  ASSERT_TRUE(std::filesystem::exists(server.data() / "postmaster.pid"));
  EXPECT_FALSE(running_server(server.data()));
}

TEST(port, is_free_until_somebody_listens_on_it) {
  const descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  EXPECT_FALSE(port_is_free(ntohs(address.sin_port)));
}

TEST(log_tail, is_the_last_fatal_line_or_else_the_last_line) {
  const testing::temporary_directory directory;
  const auto log = directory / "log";
  EXPECT_EQ(log_tail(log), "");
  write_text(log, "LOG:  one\nLOG:  two\n\n");
  EXPECT_EQ(log_tail(log), "LOG:  two");
  write_text(log, "FATAL:  first\nFATAL:  could not bind\nLOG:  database system is shut down\n");
  EXPECT_EQ(log_tail(log), "FATAL:  could not bind");
}

TEST(program, gives_its_exit_code_and_what_it_wrote_in_both_ways) {
  const auto done = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->exit_code, 3);
  EXPECT_EQ(done->output, "out\nerr\n");
  EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"})->exit_code, 128 + 9);
}

TEST(program, keeps_the_end_of_a_long_output) {
  const auto done = run_program({"sh", "-c", "seq 1 100000; echo the end"});
  ASSERT_TRUE(done);
  EXPECT_LE(done->output.size(), size_t{192} * 1024);
  EXPECT_TRUE(done->output.ends_with("100000\nthe end\n"));
}

TEST(program, that_does_not_exist_is_an_error_that_names_it) {
  const auto done = run_program({"no-such-program-here"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::io);
  EXPECT_NE(done.error().message.find("no-such-program-here"), std::string::npos);
}

}  // namespace
}  // namespace zenith::actors
