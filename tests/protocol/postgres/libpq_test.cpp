// Sessions judged by libpq: PostgreSQL's own client connects over a socket and gets its answers.
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/protocol/postgres/served_session.hpp"

namespace zenith::wire {
namespace {

/// Serves one client on a Unix socket of its own folder, until the client or the session ends.
class libpq_fixture : public ::testing::Test {
 protected:
  libpq_fixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "zenith-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = folder_ + "/.s.PGSQL.5432";
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    server_ = std::thread([this] { serve(accept(listener_, nullptr, nullptr)); });
    connection_ = PQconnectdb(("host=" + folder_ + " user=u dbname=d").c_str());
  }
  ~libpq_fixture() override {
    PQfinish(connection_);
    shutdown(listener_, SHUT_RDWR);
    server_.join();
    close(listener_);
    std::filesystem::remove_all(folder_);
  }

  static void serve(int client) {
    served_session s;
    std::byte input[1024];
    while (!s.is_closed()) {
      const ssize_t got = recv(client, input, sizeof input, 0);
      if (got <= 0) break;
      s.send({input, static_cast<size_t>(got)});
      const bytes out = s.take();
      for (size_t sent = 0; sent < out.size();) {
        const ssize_t done = ::send(client, &out[sent], out.size() - sent, MSG_NOSIGNAL);
        if (done <= 0) break;
        sent += static_cast<size_t>(done);
      }
    }
    if (client >= 0) close(client);
  }

  std::string folder_;
  int listener_ = -1;
  std::thread server_;
  PGconn* connection_ = nullptr;
};

using result_ptr = std::unique_ptr<PGresult, decltype(&PQclear)>;
result_ptr own(PGresult* r) { return {r, &PQclear}; }

/// The whole stream of a copy to the client.
std::string copied(PGconn* connection) {
  std::string all;
  char* piece = nullptr;
  int size = 0;
  while ((size = PQgetCopyData(connection, &piece, 0)) > 0) {
    all.append(piece, static_cast<size_t>(size));
    PQfreemem(piece);
  }
  EXPECT_EQ(size, -1);
  return all;
}

TEST_F(libpq_fixture, connects_and_runs_simple_queries) {
  ASSERT_EQ(PQstatus(connection_), CONNECTION_OK) << PQerrorMessage(connection_);
  EXPECT_EQ(PQserverVersion(connection_), 150000);
  const auto rows = own(PQexec(connection_, "rows"));
  ASSERT_EQ(PQresultStatus(rows.get()), PGRES_TUPLES_OK) << PQerrorMessage(connection_);
  EXPECT_EQ(PQntuples(rows.get()), 3);
  EXPECT_STREQ(PQfname(rows.get(), 1), "b");
  EXPECT_STREQ(PQgetvalue(rows.get(), 2, 0), "3");
  EXPECT_TRUE(PQgetisnull(rows.get(), 0, 1));
  const auto failed = own(PQexec(connection_, "absent"));
  EXPECT_EQ(PQresultStatus(failed.get()), PGRES_FATAL_ERROR);
  EXPECT_STREQ(PQresultErrorField(failed.get(), PG_DIAG_SQLSTATE), "42704");
  EXPECT_STREQ(PQresultErrorField(failed.get(), PG_DIAG_MESSAGE_PRIMARY), "no such thing");
  const auto empty = own(PQexec(connection_, ""));
  EXPECT_EQ(PQresultStatus(empty.get()), PGRES_EMPTY_QUERY);
}

TEST_F(libpq_fixture, runs_extended_queries_and_prepared_statements) {
  const auto direct =
      own(PQexecParams(connection_, "rows", 0, nullptr, nullptr, nullptr, nullptr, 0));
  EXPECT_EQ(PQntuples(direct.get()), 3) << PQerrorMessage(connection_);
  const auto failed =
      own(PQexecParams(connection_, "what", 0, nullptr, nullptr, nullptr, nullptr, 0));
  EXPECT_STREQ(PQresultErrorField(failed.get(), PG_DIAG_SQLSTATE), "42601");
  const auto prepared = own(PQprepare(connection_, "s", "rows", 0, nullptr));
  EXPECT_EQ(PQresultStatus(prepared.get()), PGRES_COMMAND_OK) << PQerrorMessage(connection_);
  const auto described = own(PQdescribePrepared(connection_, "s"));
  EXPECT_EQ(PQnfields(described.get()), 2) << PQerrorMessage(connection_);
  for (int i = 0; i < 2; ++i) {
    const auto run = own(PQexecPrepared(connection_, "s", 0, nullptr, nullptr, nullptr, 0));
    EXPECT_EQ(PQntuples(run.get()), 3) << PQerrorMessage(connection_);
  }
}

TEST_F(libpq_fixture, reads_a_copy_by_either_protocol) {
  const auto simple = own(PQexec(connection_, "out"));
  ASSERT_EQ(PQresultStatus(simple.get()), PGRES_COPY_OUT) << PQerrorMessage(connection_);
  EXPECT_EQ(copied(connection_), "xy");
  EXPECT_EQ(PQresultStatus(own(PQgetResult(connection_)).get()), PGRES_COMMAND_OK);
  EXPECT_EQ(PQgetResult(connection_), nullptr);
  const auto extended =
      own(PQexecParams(connection_, "out", 0, nullptr, nullptr, nullptr, nullptr, 0));
  ASSERT_EQ(PQresultStatus(extended.get()), PGRES_COPY_OUT) << PQerrorMessage(connection_);
  EXPECT_EQ(copied(connection_), "xy");
  EXPECT_EQ(PQresultStatus(own(PQgetResult(connection_)).get()), PGRES_COMMAND_OK);
  EXPECT_EQ(PQgetResult(connection_), nullptr);
}

TEST_F(libpq_fixture, talks_in_both_directions_and_goes_on_afterwards) {
  const auto both = own(PQexec(connection_, "both"));
  ASSERT_EQ(PQresultStatus(both.get()), PGRES_COPY_BOTH) << PQerrorMessage(connection_);
  for (const std::string sent : {"one", "two"}) {
    ASSERT_EQ(PQputCopyData(connection_, sent.data(), static_cast<int>(sent.size())), 1);
    ASSERT_EQ(PQflush(connection_), 0);
    char* piece = nullptr;
    ASSERT_EQ(PQgetCopyData(connection_, &piece, 0), 3);
    EXPECT_EQ(std::string(piece, 3), sent);
    PQfreemem(piece);
  }
  ASSERT_EQ(PQputCopyEnd(connection_, nullptr), 1);
  EXPECT_EQ(copied(connection_), "");
  EXPECT_EQ(PQresultStatus(own(PQgetResult(connection_)).get()), PGRES_COMMAND_OK);
  EXPECT_EQ(PQgetResult(connection_), nullptr);
  EXPECT_EQ(PQntuples(own(PQexec(connection_, "rows")).get()), 3);
}

TEST_F(libpq_fixture, runs_a_pipeline_with_a_failure_in_it) {
  ASSERT_EQ(PQenterPipelineMode(connection_), 1);
  for (const char* command : {"rows", "what", "rows"})
    ASSERT_EQ(PQsendQueryParams(connection_, command, 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  ASSERT_EQ(PQpipelineSync(connection_), 1);
  std::vector<ExecStatusType> seen;
  while (true) {
    const auto r = own(PQgetResult(connection_));
    if (!r) continue;
    seen.push_back(PQresultStatus(r.get()));
    if (seen.back() == PGRES_PIPELINE_SYNC) break;
    ASSERT_LT(seen.size(), 10u);
  }
  EXPECT_EQ(seen, (std::vector{PGRES_TUPLES_OK, PGRES_FATAL_ERROR, PGRES_PIPELINE_ABORTED,
                               PGRES_PIPELINE_SYNC}));
}

}  // namespace
}  // namespace zenith::wire
