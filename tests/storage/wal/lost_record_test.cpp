// A record whose rest a crash took away, and what a real server writes in its place.
#include <gtest/gtest.h>

#include <fstream>

#include "storage/postgres/wal_page.hpp"
#include "storage/wal/decoder.hpp"
#include "tests/support/real_wal.hpp"
#include "tests/support/wal_in_memory.hpp"

namespace zenith::wal {
namespace {

using testing::real_wal;

struct lost_record {
  real_wal wal;
  lsn start;      // of the record that was lost
  lsn rest_from;  // the page at which its rest is missing, and another record stands
};

// Crashes a server behind a record of several pages, takes the pages from the third one on away,
// and starts the server again.
const lost_record& sample() {
  static const lost_record made = [] {
    const testing::temporary_directory directory;
    testing::postgres_server server(
        directory, testing::postgres_server::options{{"--wal-segsize=1"},
                                                     "wal_keep_size = 1GB\nmax_wal_size = 4GB\n"});
    server.start();
    server.execute("create table t (id int)");
    server.execute("select pg_switch_wal()");
    server.execute("checkpoint");
    server.execute("insert into t select generate_series(1, 100)");
    server.execute("select pg_logical_emit_message(false, 'test', repeat('m', 50000))");
    server.execute("insert into t values (101)");
    server.kill();
    lost_record lost;
    const real_wal before = testing::read_real_wal(server.data());
    for (const auto& record : before.records)
      if (record.total_length_bytes > 50000 && record.total_length_bytes < 60000)
        lost.start = record.start;
    lost.rest_from = pg::wal_page_start(lost.start) + 3 * page_size_bytes;
    const uint32_t size = before.identity.segment_size_bytes;
    for (lsn at = lost.rest_from; at < before.begin + before.data.size();
         at = pg::segment_start(at, size) + size) {
      const auto name = pg::segment_file_name(pg_timeline{1}, at.value() / size, size);
      std::fstream file(server.data() / "pg_wal" / name,
                        std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(at.value() % size));
      const std::string zeros(size - at.value() % size, '\0');
      file.write(zeros.data(), static_cast<std::streamsize>(zeros.size()));
    }
    server.start();
    server.execute("insert into t values (102)");
    server.stop();
    lost.wal = testing::read_real_wal(server.data());
    return lost;
  }();
  return made;
}

struct outcome {
  std::vector<raw_record> records;  // without their bytes
  std::string failure;
};
outcome decode(const real_wal& wal, size_t piece) {
  decoder decode(wal.identity, wal.first, lsn{});
  outcome seen;
  byte_view data = wal.from(wal.first);
  for (lsn at = wal.first; !data.empty() && seen.failure.empty(); at = decode.fed_until()) {
    const byte_view now = data.first(std::min(piece, data.size()));
    EXPECT_TRUE(decode.feed(at, now));
    data = data.subspan(now.size());
    auto next = decode.next();
    for (; next && *next; next = decode.next())
      seen.records.push_back({(*next)->start, (*next)->end});
    if (!next && !decode.failed_at_zeros()) seen.failure = next.error().message;
    if (!next) break;
  }
  return seen;
}

TEST(lost_record, is_dropped_where_the_server_wrote_another_over_its_rest) {
  const lost_record& lost = sample();
  for (const size_t piece : {size_t{1}, size_t{5000}, lost.wal.data.size()}) {
    const outcome seen = decode(lost.wal, piece);
    EXPECT_EQ(seen.failure, "");
    ASSERT_EQ(seen.records.size(), lost.wal.records.size());
    bool replaced = false;
    for (size_t i = 0; i < seen.records.size(); ++i) {
      EXPECT_EQ(seen.records[i].start, lost.wal.records[i].start);
      EXPECT_NE(seen.records[i].start, lost.start);
      replaced =
          replaced || seen.records[i].start == lost.rest_from + pg::short_page_header_size_bytes;
    }
    EXPECT_TRUE(replaced);
  }
}

TEST(lost_record, must_be_named_by_the_one_in_its_place) {
  real_wal wal = sample().wal;
  const lsn record = sample().rest_from + pg::short_page_header_size_bytes;
  std::byte* raw = wal.data.data() + (record - wal.begin);
  store<uint64_t>(raw + 26, sample().start.value() + 8);
  const auto length = load<uint32_t>(raw);
  store<uint32_t>(raw + 20, pg::record_crc({raw, length}));
  const outcome seen = decode(wal, wal.data.size());
  EXPECT_NE(seen.failure.find(to_string(sample().start)), std::string::npos) << seen.failure;
  EXPECT_EQ(seen.records.back().end, sample().start);
}

TEST(lost_record, is_passed_over_to_the_record_in_its_place) {
  const lost_record& lost = sample();
  const testing::wal_in_memory source(lost.wal.first, lost.wal.end, lost.wal);
  const lsn record = lost.rest_from + pg::short_page_header_size_bytes;
  for (const lsn at : {lost.start + 1, lost.start + page_size_bytes, lost.rest_from - 1,
                       lost.rest_from, lost.rest_from + 8, record, record + 1}) {
    const auto found = locate_record(source, lost.wal.identity, at);
    ASSERT_TRUE(found) << to_string(at) << ": " << found.error().message;
    EXPECT_EQ(found->start, record) << to_string(at);
  }
  EXPECT_EQ(locate_record(source, lost.wal.identity, lost.start)->end, lost.start);
}

}  // namespace
}  // namespace zenith::wal
