// replay_server: a real server whose WAL checks redo, from its first start to any later point.
#pragma once

#include "tests/support/postgres_server.hpp"
#include "tests/support/wal_replay.hpp"

namespace zenith::testing {

/// Keeps a copy of the data directory as initdb made it, then runs the server so that each record
/// carries its check images and no page is simply overwritten by an image.
class replay_server {
 public:
  /// `configuration`: more lines for postgresql.conf.
  explicit replay_server(const std::string& configuration = "");

  postgres_server& server() { return *server_; }
  std::string conninfo(const std::string& database = "postgres") const {
    return server_->conninfo(database);
  }
  /// The data directory as it was before the first start (base/ and global/ only).
  const std::filesystem::path& base() const { return base_; }
  /// Stops the server and replays all of its WAL.
  replay_report replay(decltype(replay_options::observe) observe = nullptr);

 private:
  temporary_directory directory_;
  std::unique_ptr<postgres_server> server_;
  std::filesystem::path base_;
  lsn start_;
};

}  // namespace zenith::testing
