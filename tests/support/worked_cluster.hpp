// worked_cluster: a stopped server's data directory that holds something of every kind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Tables with every kind of index that a fresh server has, toast, large deletions and a vacuum,
/// sequences, an unlogged table, a tablespace, a second database, multixacts, a prepared
/// transaction ("kept") and a replication origin. Stopped cleanly.
class worked_cluster {
 public:
  explicit worked_cluster(const std::vector<std::string>& initdb = {"-k"});

  const temporary_directory& directory() const { return directory_; }
  postgres_server& server() { return *server_; }
  const std::filesystem::path& data() const { return server_->data(); }
  /// What facts() gave before the stop.
  const std::vector<std::string>& facts() const { return facts_; }
  uint32_t tablespace() const { return tablespace_; }

  /// What must be the same on a copy: sums, counts and states, one text each.
  static std::vector<std::string> facts_of(postgres_server& server);

 private:
  temporary_directory directory_;
  std::unique_ptr<postgres_server> server_;
  std::vector<std::string> facts_;
  uint32_t tablespace_ = 0;
};

}  // namespace zenith::testing
