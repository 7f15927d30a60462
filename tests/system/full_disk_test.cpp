// A node whose disk is full: nothing more is acknowledged, what is there is served, servers run on,
// and all goes on once there is room.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/postgres_server.hpp"
#include "tests/support/steady_writers.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

void write_text(const fs::path& name, const std::string& text) { std::ofstream(name) << text; }

// From here on this process and its children have mounts of their own; false where that is not
// allowed.
bool take_own_mounts() {
  const std::string user = std::to_string(geteuid());
  const std::string group = std::to_string(getegid());
  const bool is_root = geteuid() == 0;
  if (unshare(is_root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (!is_root) {
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", user + " " + user + " 1");
    write_text("/proc/self/gid_map", group + " " + group + " 1");
  }
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// A file system in memory over a folder, with what is in it.
class small_disk {
 public:
  small_disk(fs::path folder, const fs::path& scratch, uint64_t megabytes)
      : folder_(std::move(folder)) {
    run_ok({"cp", "-a", folder_.string(), scratch.string()}, run_as::myself);
    struct stat was {};
    stat(folder_.c_str(), &was);
    const std::string options = "size=" + std::to_string(megabytes) + "m,mode=0700";
    if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, options.c_str()) != 0)
      throw std::runtime_error("cannot mount a tmpfs on " + folder_.string());
    run_ok({"cp", "-a", scratch.string() + "/.", folder_.string()}, run_as::myself);
    if (chown(folder_.c_str(), was.st_uid, was.st_gid) != 0)
      throw std::runtime_error("cannot chown " + folder_.string());
  }
  ~small_disk() { umount2(folder_.c_str(), MNT_DETACH); }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  /// Takes all but so many bytes.
  void fill(uint64_t left) const {
    const int file = open(ballast().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const auto size = static_cast<off_t>(fs::space(folder_).free - left);
    const bool done = file >= 0 && posix_fallocate(file, 0, size) == 0;
    close(file);
    if (!done) throw std::runtime_error("cannot write " + ballast().string());
  }
  void make_room() const { fs::remove(ballast()); }

 private:
  fs::path ballast() const { return folder_ / "ballast"; }
  fs::path folder_;
};

TEST(full_disk, stops_acknowledging_serves_reads_and_goes_on_when_there_is_room) {
  if (!take_own_mounts()) GTEST_SKIP() << "mounts of its own are not allowed here";
  const zenith_repository repository;
  repository.init({{"memory_limit", "64MB"},
                   {"open_layer_size", "256kB"},
                   {"receiver_backoff_min", "10ms"},
                   {"receiver_backoff_max", "100ms"}});
  const small_disk disk(repository.zenith_directory() / "timelines",
                        repository.scratch() / "timelines", 300);
  repository.run_ok({"start"});
  repository.run_ok({"pg", "create", "main", "--sync", "--start"});
  const std::string main = repository.conninfo("main");
  make_tables_for_writers(main);
  const std::string point = "main@" + to_string(repository.lsn_of("main"));
  const auto file = sql_session(main).rows(
      "select oid, pg_relation_filenode('a') from pg_database where datname = 'postgres'")[0];
  const std::string relation = "1663/" + file[0] + "/" + file[1];

  disk.fill(1 << 20);
  steady_writers work(main, 3);
  std::string problem;
  EXPECT_TRUE(wait_until([&] {
    const auto status = repository.run_ok({"status"});
    for (const auto& one : status["timelines"])
      if (one["problem"].is_string()) problem = one["problem"];
    return problem.find("No space left") != std::string::npos;
  })) << problem
      << repository.node_log();
  EXPECT_NE(repository.node_log().find("No space left"), std::string::npos);
  EXPECT_EQ(sql_session(main).value("select count(*) from a"), "3000");
  // A timeline that is just ending refuses; the next one of the branch serves.
  zenith_result read;
  EXPECT_TRUE(wait_until([&] {
    read = repository.run({"page", point, relation, "main", "0"});
    return read.exit_code == 0;
  })) << read.errors;

  disk.make_room();
  const uint64_t more = work.acknowledged() + 100;
  EXPECT_TRUE(wait_until([&] { return work.acknowledged() >= more; }))
      << repository.run({"status"}).output << repository.node_log();
  // A commit that nobody acknowledges would be waited for.
  if (::testing::Test::HasFailure()) kill(repository.server_process("main"), SIGKILL);
  work.stop();
  repository.run_ok({"pg", "stop", "main"});
  const fs::path pgdata = repository.zenith_directory() / "computes" / "main" / "pgdata";
  EXPECT_TRUE(repository.run_ok({"verify", "main", pgdata.string()})["ok"].get<bool>());
  EXPECT_EQ(repository.run({"check"}).exit_code, 0);
}

}  // namespace
}  // namespace zenith::testing
