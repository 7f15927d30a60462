// replay_server: initdb's files as the base, wal_consistency_checking as the judge.
#include "tests/support/replay_server.hpp"

#include <stdexcept>

namespace zenith::testing {
namespace {

constexpr auto checking_configuration = R"(
wal_level = logical
wal_consistency_checking = 'all'
wal_compression = lz4
full_page_writes = off
wal_keep_size = '64GB'
max_wal_size = '64GB'
checkpoint_timeout = '1h'
autovacuum = off
track_commit_timestamp = on
max_prepared_transactions = 20
allow_in_place_tablespaces = on
)";

lsn parse(const std::string& text) {
  const auto parsed = parse_lsn(text);
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *parsed;
}

/// Where the last checkpoint's record begins, in a data directory whose server does not run.
lsn last_checkpoint(const std::filesystem::path& data) {
  const auto text = run_ok({pg_program("pg_controldata"), data.string()});
  const std::string label = "Latest checkpoint location:";
  const auto at = text.find(label);
  if (at == std::string::npos) throw std::runtime_error("pg_controldata names no checkpoint");
  const auto begin = text.find_first_not_of(' ', at + label.size());
  return parse(text.substr(begin, text.find('\n', begin) - begin));
}

}  // namespace

replay_server::replay_server(const std::string& configuration) : base_(directory_ / "base") {
  server_ = std::make_unique<postgres_server>(
      directory_,
      postgres_server::options{.configuration = checking_configuration + configuration});
  std::filesystem::create_directory(base_);
  for (const auto* folder : {"base", "global"})
    std::filesystem::copy(server_->data() / folder, base_ / folder,
                          std::filesystem::copy_options::recursive);
  start_ = last_checkpoint(server_->data());
  server_->start();
}

replay_report replay_server::replay(decltype(replay_options::observe) observe) {
  const auto until = parse(server_->value("select pg_current_wal_insert_lsn()"));
  server_->stop();
  return replay_wal({.wal = server_->data() / "pg_wal",
                     .start = start_,
                     .until = until,
                     .base = base_,
                     .observe = std::move(observe)});
}

}  // namespace zenith::testing
