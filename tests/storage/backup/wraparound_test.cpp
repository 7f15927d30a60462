// A server that starts where transaction ids, multixacts and members went round goes on working.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "storage/backup/base_backup.hpp"
#include "storage/backup/control_state.hpp"
#include "storage/backup/directory_sink.hpp"
#include "storage/backup/verify.hpp"
#include "tests/support/ingested_wal.hpp"
#include "tests/support/last_numbers.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;
using testing::postgres_server;

class wraparound : public ::testing::Test {
 protected:
  wraparound() {
    testing::use_up_numbers(server_);
    fs::copy(server_.data(), directory_ / "base", fs::copy_options::recursive);
    server_.start();
    testing::take_transaction_ids(server_, 30'000);
    testing::take_multixacts(server_, 3'000);
    server_.stop();
    ingested_ =
        testing::ingest_wal(directory_ / "base", server_.data() / "pg_wal", 16 * 1024 * 1024);
  }

  pg::checkpoint counters_at(lsn at) const {
    const auto control = control_at(ingested_.view_until(at), at);
    EXPECT_TRUE(control) << control.error().message;
    return control ? control->last_checkpoint : pg::checkpoint{};
  }

  /// The first record at whose end the condition holds of the counters; it goes on holding. Or one
  /// that follows it.
  template <class Condition>
  testing::ingested_wal::record first_with(const Condition& condition, size_t after = 0) const {
    const auto& all = ingested_.records;
    const auto found = std::partition_point(all.begin(), all.end(), [&](const auto& record) {
      return !condition(counters_at(record.end));
    });
    const auto index = static_cast<size_t>(found - all.begin()) + after;
    EXPECT_LT(index, all.size());
    return index < all.size() ? all[index] : all.back();
  }

  void expect_a_working_server_at(const testing::ingested_wal::record& record) {
    SCOPED_TRACE("at " + to_string(record.end));
    const fs::path data = directory_ / to_string(record.end.value());
    base_backup_options options;
    options.at = record.end;
    options.previous_record = record.start;
    options.timeline = pg_timeline{2};
    options.history = {{pg_timeline{1}, record.end}};
    auto sink = directory_sink::create(posix_file_system(), data, {});
    ASSERT_TRUE(sink) << sink.error().message;
    const auto written =
        write_base_backup(ingested_.view_until(record.end), ingested_.wal.get(), options, **sink);
    ASSERT_TRUE(written) << written.error().message;
    postgres_server started{directory_, data};
    started.start();
    const auto before = counters_at(record.end);
    EXPECT_EQ(started.value("SELECT pg_current_xact_id()"), std::to_string(before.next_full_xid));
    EXPECT_EQ(started.value("SELECT count(*) FROM (SELECT FROM t FOR KEY SHARE) AS all_of_it"),
              "4000");
    testing::take_multixacts(started, 3'000);
    EXPECT_EQ(started.value("UPDATE t SET i = i + 10000 WHERE i <= 3000 RETURNING 1"), "1");
    testing::freeze_everything(started);
    EXPECT_EQ(started.value("SELECT count(*) FROM t"), "4000");
    started.stop();
    started.start();
    EXPECT_EQ(started.value("SELECT max(i) FROM t"), "13000");
    fs::remove_all(data);
  }

  static std::string to_string(uint64_t number) { return std::to_string(number); }
  static std::string to_string(lsn at) { return zenith::to_string(at); }

  testing::temporary_directory directory_;
  postgres_server server_{directory_,
                          postgres_server::options{{},
                                                   "autovacuum = off\nwal_keep_size = 8GB\n"
                                                   "max_wal_size = 8GB\n"}};
  testing::ingested_wal ingested_;
};

TEST_F(wraparound, a_server_works_that_starts_before_at_and_after_each_of_them) {
  expect_a_working_server_at(ingested_.records.front());
  expect_a_working_server_at(
      first_with([](const pg::checkpoint& c) { return c.next_full_xid >= uint64_t{5} << 32; }));
  expect_a_working_server_at(first_with(
      [](const pg::checkpoint& c) { return static_cast<int32_t>(c.next_multixact_offset) >= 0; }));
  expect_a_working_server_at(first_with(
      [](const pg::checkpoint& c) { return static_cast<int32_t>(c.next_multixact) >= 0; }));
  expect_a_working_server_at(ingested_.records.back());
}

TEST_F(wraparound, the_files_of_the_server_equal_the_view) {
  const lsn at = ingested_.records.back().end;
  const auto report = verify(ingested_.view_until(at), at, posix_file_system(), server_.data());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->mismatch_count, 0u);
  for (const mismatch& one : report->mismatches)
    ADD_FAILURE() << one.file << " block " << one.block << " offset " << one.offset << ": "
                  << one.what;
}

}  // namespace
}  // namespace zenith::backup
