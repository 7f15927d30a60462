// Stock servers start wherever L lies in WAL pages and segments, and go on after a crash.
#include <gtest/gtest.h>

#include <filesystem>

#include "storage/backup/base_backup.hpp"
#include "storage/backup/directory_sink.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/support/map_view.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/wal_dump.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;
using testing::postgres_server;

constexpr uint32_t segment = 1024 * 1024;
constexpr uint64_t checkpoint_bytes = 120;  // aligned

// Moves the end of a server's WAL to an exact place by records of the right length.
class wal_steering {
 public:
  explicit wal_steering(postgres_server& server) : server_(server) {
    const lsn before = position();
    emit(1000);
    overhead_ = position() - before - 1000;
  }

  lsn position() { return *parse_lsn(server_.value("select pg_current_wal_insert_lsn()")); }
  /// `to`: a multiple of 8, in the page before `boundary`, at least three pages away.
  void move(lsn to, lsn boundary) {
    const lsn near = boundary - 5000;
    while (position() < near) {
      const uint64_t gap = near - position();
      emit(std::min<uint64_t>(gap, page_size_bytes * 50) - std::min<uint64_t>(gap / 2, 200) + 100);
    }
    emit(to - position() - overhead_);
    ASSERT_EQ(position(), to);
  }

 private:
  // Its length, and what comes with it, is a multiple of 8 where the message's is.
  void emit(uint64_t message_bytes) {
    server_.value("select pg_logical_emit_message(false, 'steering', repeat('x', " +
                  std::to_string(message_bytes / 8 * 8) + "))");
  }

  postgres_server& server_;
  uint64_t overhead_ = 0;
};

enum class boundary_kind { page, segment };

class seam_server : public ::testing::Test {
 protected:
  seam_server()
      : origin_{directory_, postgres_server::options{{"--wal-segsize=1"},
                                                     "autovacuum = off\nwal_keep_size = 64MB\n"}} {
    origin_.start();
    origin_.execute("create table t (i int primary key)");
    origin_.execute("insert into t select generate_series(1, 1000)");
    origin_.stop();
  }

  // Stops the origin such that its shutdown checkpoint begins this far from a boundary.
  void stop_before(boundary_kind kind, uint64_t distance_bytes) {
    const uint64_t unit = kind == boundary_kind::segment ? segment : page_size_bytes;
    origin_.start();
    wal_steering steering{origin_};
    uint64_t next = (steering.position().value() / unit + 1) * unit;
    while (lsn{next} - steering.position() < 4 * page_size_bytes ||
           (kind == boundary_kind::page && next % segment == 0))
      next += unit;
    steering.move(lsn{next} - distance_bytes, lsn{next});
    origin_.stop();
    boundary_ = lsn{next};
    imported_ = testing::import_to_map(origin_.data());
    ASSERT_EQ(imported_.cluster.last_record, distance_bytes == 0
                                                 ? pg::past_page_header(boundary_, segment)
                                                 : boundary_ - distance_bytes);
  }

  // Writes a backup, starts a stock server on it, crashes it, and reads its WAL over the seam.
  void expect_a_server(const base_backup_options& options, const testing::folder_wal* wal) {
    const fs::path data = directory_ / ("copy" + std::to_string(++copies_));
    auto sink = directory_sink::create(posix_file_system(), data, {});
    ASSERT_TRUE(sink);
    const auto written = write_base_backup(imported_.view(), wal, options, **sink);
    ASSERT_TRUE(written) << written.error().message;
    postgres_server server{directory_, data};
    server.start();
    EXPECT_EQ(server.value("select checkpoint_lsn from pg_control_checkpoint()"),
              to_string(written->checkpoint));
    EXPECT_EQ(server.value("select sum(i) from t"), "500500");
    server.execute("insert into t select generate_series(1001, 2000)");
    server.kill();
    server.start();
    EXPECT_EQ(server.value("select sum(i) from t"), "2001000");
    const std::string end = server.value("select pg_current_wal_flush_lsn()");
    server.stop();
    const lsn from = std::max(
        options.start == start_record::last_checkpoint || wal != nullptr ? options.previous_record
                                                                         : written->checkpoint,
        pg::segment_start(
            options.start == start_record::last_checkpoint ? options.previous_record : options.at,
            segment));
    const std::string dump =
        testing::dump_wal(data, options.timeline, segment, from, *parse_lsn(end));
    EXPECT_NE(dump.find("lsn: " + padded(written->checkpoint)), std::string::npos) << dump;
    EXPECT_NE(dump.find("COMMIT"), std::string::npos) << dump;
  }

  void expect_both_kinds_of_servers() {
    const auto wal = testing::wal_of(imported_, origin_.data());
    base_backup_options options;
    options.at = imported_.cluster.base;
    options.previous_record = imported_.cluster.last_record;
    options.timeline = pg_timeline{2};
    options.history = {{pg_timeline{1}, options.at}};
    expect_a_server(options, &wal);
    expect_a_server(options, nullptr);
    options.timeline = pg_timeline{1};
    options.history.clear();
    options.start = start_record::last_checkpoint;
    expect_a_server(options, &wal);
  }

  // pg_waldump prints the lower half with eight digits.
  static std::string padded(lsn at) {
    char text[32];
    snprintf(text, sizeof text, "%X/%08X", static_cast<uint32_t>(at.value() >> 32),
             static_cast<uint32_t>(at.value()));
    return text;
  }

  testing::temporary_directory directory_;
  postgres_server origin_;
  testing::imported_map imported_;
  lsn boundary_;
  int copies_ = 0;
};

TEST_F(seam_server, a_server_starts_where_l_is_a_pages_start) {
  stop_before(boundary_kind::page, checkpoint_bytes);
  ASSERT_EQ(imported_.cluster.base, boundary_);
  expect_both_kinds_of_servers();
}

TEST_F(seam_server, a_server_starts_where_l_is_a_segments_start) {
  stop_before(boundary_kind::segment, checkpoint_bytes);
  ASSERT_EQ(imported_.cluster.base, boundary_);
  expect_both_kinds_of_servers();
}

TEST_F(seam_server, a_server_starts_where_the_appended_record_crosses_a_page) {
  stop_before(boundary_kind::page, checkpoint_bytes + 56);
  ASSERT_EQ(imported_.cluster.base, boundary_ - 56);
  expect_both_kinds_of_servers();
}

TEST_F(seam_server, a_server_starts_where_the_appended_record_crosses_a_segment) {
  stop_before(boundary_kind::segment, checkpoint_bytes + 8);
  ASSERT_EQ(imported_.cluster.base, boundary_ - 8);
  expect_both_kinds_of_servers();
}

TEST_F(seam_server, a_server_starts_where_its_own_checkpoint_crosses_a_page_or_a_segment) {
  stop_before(boundary_kind::page, 56);
  ASSERT_EQ(imported_.cluster.base, boundary_ + 24 + 64);
  expect_both_kinds_of_servers();
  stop_before(boundary_kind::segment, 24);
  ASSERT_EQ(imported_.cluster.base, boundary_ + 40 + 96);
  expect_both_kinds_of_servers();
}

}  // namespace
}  // namespace zenith::backup
