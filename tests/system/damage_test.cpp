// Damaged files and garbage on the sockets: what needs them fails by name, all else goes on.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>

#include "tests/support/files.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

// Changes one byte where the file lies.
void flip_byte(const fs::path& name, size_t at) {
  std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const auto byte = static_cast<char>(file.get() ^ 0x20);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
  ASSERT_TRUE(file.good()) << name;
}

// A connection that says what is given, then hears what comes until the other side closes or a
// moment of silence is over.
void send_to(const fs::path& name, byte_view data) {
  const int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, name.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(connect(end, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << name;
  const timeval patience{0, 100'000};
  setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  [[maybe_unused]] const auto sent = send(end, data.data(), data.size(), MSG_NOSIGNAL);
  shutdown(end, SHUT_WR);
  char piece[4096];
  while (recv(end, piece, sizeof piece, 0) > 0) {
  }
  close(end);
}

class damage : public ::testing::Test {
 protected:
  damage() { made = repository.init({}); }

  fs::path timeline_folder() const {
    return repository.zenith_directory() / "timelines" / made["timeline"].get<std::string>();
  }
  void expect_failure_that_names(const std::vector<std::string>& arguments, const fs::path& file) {
    const auto result = repository.run(arguments);
    EXPECT_EQ(result.exit_code, 1) << result.output;
    EXPECT_NE(result.errors.find(file.filename().string()), std::string::npos) << result.errors;
  }
  void expect_status_that_names(const fs::path& file) {
    const auto result = repository.run({"status"});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_NE(result.output.find(file.filename().string()), std::string::npos) << result.output;
  }

  zenith_repository repository;
  nlohmann::json made;
};

TEST_F(damage, of_a_branch_s_file_fails_the_branch_alone) {
  repository.run_ok({"start"});
  repository.run_ok({"branch", "other"});
  repository.run_ok({"stop"});
  const fs::path file = repository.zenith_directory() / "refs" / "branches" / "other";
  flip_byte(file, 5);
  expect_status_that_names(file);
  repository.run_ok({"start"});
  expect_status_that_names(file);
  expect_failure_that_names({"lsn", "other"}, file);
  expect_failure_that_names({"branch", "third", "other"}, file);
  // Its name stays taken; the other branch is what it was.
  EXPECT_EQ(repository.run({"branch", "other"}).exit_code, 1);
  EXPECT_EQ(repository.run_ok({"lsn", "main"})["lsn"], made["lsn"]);
}

TEST_F(damage, of_a_timeline_s_file_fails_what_needs_the_timeline) {
  const fs::path file = timeline_folder() / "timeline.json";
  flip_byte(file, 20);
  repository.run_ok({"start"});
  expect_status_that_names(file);
  expect_failure_that_names({"lsn", "main"}, file);
  expect_failure_that_names({"branch", "new", "main"}, file);
  expect_failure_that_names({"pg", "create", "main"}, file);
  EXPECT_EQ(repository.run_ok({"status"})["running"], true);
}

TEST_F(damage, of_the_settings_stops_the_node_from_starting) {
  const fs::path file = repository.zenith_directory() / "config.json";
  flip_byte(file, 3);
  expect_failure_that_names({"start"}, file);
  expect_failure_that_names({"config"}, file);
  EXPECT_EQ(repository.node_process(), 0);
}

TEST_F(damage, of_the_base_image_fails_reads_and_never_gives_wrong_bytes) {
  const fs::path file = timeline_folder() / "layers" / "base.image";
  const auto size = fs::file_size(file);
  std::mt19937_64 random(1);
  for (int round = 0; round < 3; ++round) {
    const bytes intact = read_file(file);
    flip_byte(file, random() % size);
    repository.run_ok({"start"});
    // Everything is read: a server's files are all of the base.
    const fs::path target = repository.scratch() / ("export" + std::to_string(round));
    const auto result = repository.run({"export", "main", target.string()});
    EXPECT_EQ(result.exit_code, 1) << result.output;
    EXPECT_NE(result.errors.find("base.image"), std::string::npos) << result.errors;
    EXPECT_EQ(repository.run_ok({"status"})["running"], true);
    repository.run_ok({"stop"});
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(intact.data()),
               static_cast<std::streamsize>(intact.size()));
  }
}

TEST_F(damage, of_the_base_image_s_tail_fails_what_reads_it_and_not_the_node) {
  const fs::path file = timeline_folder() / "layers" / "base.image";
  fs::resize_file(file, fs::file_size(file) / 2);
  repository.run_ok({"start"});
  expect_failure_that_names({"pg", "create", "main"}, file);
  EXPECT_EQ(repository.run_ok({"pg", "list"}).size(), 0u);
  EXPECT_EQ(repository.run_ok({"status"})["running"], true);
}

// One bit in each kind of file at once: `check` names them all, and what lies elsewhere is served.
TEST_F(damage, of_each_kind_of_file_is_found_by_check) {
  repository.run_ok({"start"});
  repository.run_ok({"tag", "marked"});
  repository.run_ok({"branch", "other"});
  repository.run_ok({"pg", "create", "main", "--start"});
  run_ok({pg_program("pgbench"), "-i", "-q", "-s", "1", repository.conninfo("main")});
  repository.run_ok({"pg", "stop", "main"});
  // What it holds is written when it stops.
  repository.run_ok({"stop"});
  ASSERT_EQ(repository.run({"check"}).exit_code, 0);

  const fs::path folder = timeline_folder();
  const fs::path zenith = repository.zenith_directory();
  std::vector<std::pair<fs::path, size_t>> places{
      {zenith / "config.json", 9},
      {zenith / "refs" / "branches" / "other", 9},
      {zenith / "refs" / "tags" / "marked", 9},
      {zenith / "computes" / "main" / "compute.json", 9},
      {folder / "configuration" / "checksums", 9},
      {folder / "layers" / "base.image", 1000},
      {folder / "wal" / "000000010000000000000001", 0x600000 + 100}};
  for (const auto& one : fs::directory_iterator(folder / "layers"))
    if (one.path().extension() == ".delta") places.emplace_back(one.path(), 1000);
  ASSERT_GT(places.size(), 7u) << "no delta layer";
  for (const auto& [file, at] : places) flip_byte(file, at);

  const auto found = repository.run({"check"});
  EXPECT_EQ(found.exit_code, 1) << found.output;
  const auto report = nlohmann::json::parse(found.output);
  for (const auto& [file, at] : places) {
    size_t times = 0;
    for (const auto& one : report["damaged"]) {
      if (!one["file"].get<std::string>().ends_with(
              file.lexically_relative(zenith.parent_path()).string()))
        continue;
      ++times;
      EXPECT_LE(one["offset"].get<size_t>(), at) << one;
    }
    EXPECT_EQ(times, 1u) << file << ": " << report.dump(1);
  }
  EXPECT_EQ(report["damaged"].size(), places.size()) << report.dump(1);
  EXPECT_EQ(repository.run_text({"check"}).exit_code, 1);
  for (const auto& [file, at] : places) flip_byte(file, at);
  EXPECT_EQ(repository.run({"check"}).exit_code, 0);
}

TEST_F(damage, of_the_kept_configuration_fails_servers_made_from_it) {
  repository.run_ok({"start"});
  repository.run_ok({"pg", "create", "main", "--start"});
  repository.run_ok({"pg", "destroy", "main", "--force"});
  const fs::path file = timeline_folder() / "configuration" / "postgresql.conf";
  flip_byte(file, 100);
  const auto report = nlohmann::json::parse(repository.run({"check"}).output);
  ASSERT_EQ(report["damaged"].size(), 1u) << report.dump(1);
  EXPECT_TRUE(report["damaged"][0]["file"].get<std::string>().ends_with("/postgresql.conf"));
  expect_failure_that_names({"pg", "create", "main"}, file);
  repository.run_ok({"branch", "child"});
  expect_failure_that_names({"pg", "create", "child"}, file);
  EXPECT_EQ(repository.run_ok({"lsn", "child"})["branch"], "child");
  flip_byte(file, 100);
  repository.run_ok({"pg", "create", "main", "--start"});
}

TEST_F(damage, garbage_on_the_sockets_ends_its_connection_alone) {
  repository.run_ok({"start"});
  const auto status = repository.run_ok({"status"});
  const fs::path control = status["cli_address"].get<std::string>();
  const fs::path pages = control.parent_path() / ".s.PGSQL.6400";
  ASSERT_TRUE(fs::exists(pages));
  const auto process = repository.node_process();
  std::mt19937_64 random(2);
  for (const fs::path& door : {control, pages}) {
    for (int round = 0; round < 20; ++round) {
      bytes garbage(random() % 300);
      for (std::byte& one : garbage) one = static_cast<std::byte>(random());
      send_to(door, garbage);
    }
    for (const char* text :
         {"GET / HTTP/1.1\r\n\r\n", "ZENCTL01", "ZENCTL01 and then no nonce of 32",
          "\0\0\0\x08\x04\xd2\x16\x2f", "\0\0\0\x09\0\x03\0\0user"})
      send_to(door, as_bytes(std::string_view(text, std::strlen(text) + 8)));
    send_to(door, bytes(100'000, std::byte{0xFF}));
    send_to(door, {});
  }
  EXPECT_EQ(repository.node_process(), process);
  EXPECT_EQ(repository.run_ok({"lsn", "main"})["lsn"], made["lsn"]);
}

TEST_F(damage, another_secret_opens_no_door) {
  repository.run_ok({"start"});
  const fs::path secret = repository.zenith_directory() / "secret";
  flip_byte(secret, 0);
  const auto refused = repository.run({"branch"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.errors.find("secret"), std::string::npos) << refused.errors;
  flip_byte(secret, 0);
  EXPECT_EQ(repository.run({"branch"}).exit_code, 0);
}

}  // namespace
}  // namespace zenith::testing
