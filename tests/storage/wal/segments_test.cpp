// Segment files: what PostgreSQL reads in them, appending, and changes of pg_timeline.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "storage/io/durable_file.hpp"
#include "tests/storage/wal/segments_fixture.hpp"
#include "tests/support/wal_in_memory.hpp"

namespace zenith::wal {
namespace {

using testing::temporary_directory;
using testing::wal_in_memory;

class segments : public segments_fixture {};

TEST_F(segments, are_the_files_that_the_server_wrote_and_pg_waldump_reads_them) {
  const temporary_directory directory;
  auto opened = wal_directory::open(where(posix_file_system(), directory / "wal"));
  ASSERT_OK(opened);
  ASSERT_OK(fill(**opened, wal().end, 1));
  expect_holds(**opened, wal().first, wal().end);
  size_t files = 0;
  for (lsn at = segment(0); at < wal().end; at = at + size(), ++files) {
    const auto name = pg::segment_file_name(pg_timeline{1}, at.value() / size(), size());
    const auto data = read_file(posix_file_system(), directory / "wal" / name);
    ASSERT_OK(data);
    ASSERT_EQ(data->size(), size());
    const lsn from = std::max(at, wal().first);
    const lsn until = std::min(at + size(), wal().end);
    EXPECT_TRUE(
        std::ranges::equal(byte_view{*data}.subspan(from - at, until - from), piece(from, until)))
        << name;
  }
  EXPECT_GE(files, 4u);
  EXPECT_EQ(posix_file_system().list(directory / "wal")->size(), files);
  testing::give_to_database_user(directory / "wal");
  const auto dumped = testing::run({testing::pg_program("pg_waldump"), "-p",
                                    (directory / "wal").string(), "-s", to_string(wal().first)});
  size_t lines = 0;
  for (size_t at = 0; (at = dumped.output.find("rmgr: ", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, wal().records.size());
}

TEST_F(segments, find_their_end_again_when_opened) {
  ASSERT_OK(fill(*wal_directory::open(where(fs_)).value(), wal().end, 2));
  auto again = wal_directory::open(where(fs_));
  ASSERT_OK(again);
  EXPECT_EQ((*again)->opened_at().end, wal().end);
  EXPECT_EQ((*again)->opened_at().last_record, wal().records.back().start);
  EXPECT_EQ((*again)->opened_at().torn, "");
  EXPECT_EQ((*again)->durable_until(), wal().end);
  expect_holds(**again, wal().first, wal().end);
  // From a record in the middle.
  auto how = where(fs_);
  const auto& middle = wal().records[wal().records.size() / 2];
  how.scan_from = middle.start;
  how.scan_previous = middle.previous;
  EXPECT_EQ(wal_directory::open(how).value()->opened_at().end, wal().end);
}

TEST_F(segments, of_a_timeline_without_own_wal_are_no_files) {
  auto opened = wal_directory::open(where(fs_));
  ASSERT_OK(opened);
  EXPECT_EQ((*opened)->end(), wal().first);
  EXPECT_FALSE(fs_.exists("wal").value());
  std::byte one;
  EXPECT_EQ((*opened)->read(wal().first, {&one, 1}).error().code, errc::out_of_range);
}

TEST_F(segments, refuse_gaps_and_other_bytes_and_take_the_same_ones_again) {
  auto opened = wal_directory::open(where(fs_)).value();
  const lsn end = wal().first + 1'000'000;
  ASSERT_OK(opened->append(wal().first, piece(wal().first, end)));
  EXPECT_EQ(opened->append(end + 8, piece(end + 8, end + 9)).error().code, errc::invalid_argument);
  ASSERT_OK(opened->append(end - 500'000, piece(end - 500'000, end + 10)));
  EXPECT_EQ(opened->end(), end + 10);
  bytes other(piece(end - 100, end + 100).begin(), piece(end - 100, end + 100).end());
  other[50] ^= std::byte{1};
  const auto refused = opened->append(end - 100, other);
  EXPECT_EQ(refused.error().code, errc::conflict);
  EXPECT_NE(refused.error().message.find(to_string(end - 50)), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(opened->end(), end + 10);
}

TEST_F(segments, are_cut_back_for_good) {
  auto opened = wal_directory::open(where(fs_)).value();
  ASSERT_OK(fill(*opened, wal().end, 5));
  const lsn to = middle();
  ASSERT_OK(opened->rewind(to));
  EXPECT_EQ(opened->end(), to);
  ASSERT_OK(opened->sync());
  EXPECT_EQ(wal_directory::open(where(fs_)).value()->end(), to);
  ASSERT_OK(fill(*opened, wal().end, 6));
  EXPECT_EQ(wal_directory::open(where(fs_)).value()->end(), wal().end);
  EXPECT_EQ(opened->rewind(wal().end + 1).error().code, errc::invalid_argument);
  EXPECT_EQ(opened->rewind(wal().first - 1).error().code, errc::invalid_argument);
}

TEST_F(segments, go_on_in_a_new_file_when_the_pg_timeline_changes) {
  const lsn at = middle();
  auto how = where(fs_);
  auto opened = wal_directory::open(how).value();
  ASSERT_OK(fill(*opened, next_segment() + size() + 1000, 7));
  ASSERT_OK(opened->switch_timeline(pg_timeline{2}, at));
  EXPECT_EQ(opened->end(), at);
  EXPECT_EQ(opened->history().back(), (timeline_switch{pg_timeline{2}, at}));
  expect_holds(*opened, wal().first, at);
  std::byte one;
  EXPECT_EQ(opened->read(at, {&one, 1}).error().code, errc::out_of_range);
  // Recorded, but nothing written on it: the old pg_timeline's WAL past it stays given up.
  how.history = opened->history();
  EXPECT_EQ(wal_directory::open(how).value()->end(), at);

  ASSERT_OK(opened->append(at, piece(at, next_segment() + 500)));
  expect_holds(*opened, wal().first, next_segment() + 500);
  const auto name = pg::segment_file_name(pg_timeline{2}, at.value() / size(), size());
  const bytes fresh = read_file(fs_, path("wal") / name).value();
  EXPECT_TRUE(std::ranges::equal(fresh, piece(middle_segment(), next_segment())));
  auto again = wal_directory::open(how).value();
  EXPECT_EQ(again->end(), wal_directory::open(how).value()->end());
  EXPECT_GT(again->end(), at);
  EXPECT_LE(again->end(), next_segment() + 500);
  expect_holds(*again, wal().first, again->end());

  EXPECT_FALSE(opened->switch_timeline(pg_timeline{2}, opened->end()));
  EXPECT_FALSE(opened->switch_timeline(pg_timeline{3}, opened->end() + 8));
  EXPECT_FALSE(opened->switch_timeline(pg_timeline{3}, at - 8));
}

TEST_F(segments, of_a_branch_begin_with_the_parents_bytes) {
  const temporary_directory directory;
  const auto parent = std::make_shared<wal_in_memory>(wal().first, wal().end, wal());
  const lsn at = middle();
  auto how = where(posix_file_system(), directory / "wal");
  how.start = at;
  how.previous = record_at(at).previous;
  how.history = {{pg_timeline{1}, lsn{}}, {pg_timeline{2}, at}};
  how.before = parent;
  auto opened = wal_directory::open(how).value();
  EXPECT_EQ(opened->begin(), at);
  // A stream from the page's start, as a receiver asks for.
  const lsn page = pg::wal_page_start(at);
  ASSERT_OK(opened->append(page, piece(page, wal().end)));
  ASSERT_OK(opened->sync());
  const auto name = pg::segment_file_name(pg_timeline{2}, at.value() / size(), size());
  const bytes file = read_file(posix_file_system(), directory / "wal" / name).value();
  EXPECT_TRUE(std::ranges::equal(file, piece(middle_segment(), next_segment())));
  bytes other(piece(page, at).begin(), piece(page, at).end());
  other[30] ^= std::byte{1};
  EXPECT_EQ(opened->append(page, other).error().code, errc::conflict);
  EXPECT_EQ(opened->append(page - 1, other).error().code, errc::invalid_argument);
  const auto again = wal_directory::open(how).value();
  EXPECT_EQ(again->end(), wal().end);
}

TEST_F(segments, can_be_read_while_they_are_written) {
  auto opened = wal_directory::open(where(fs_)).value();
  std::atomic<bool> over = false;
  std::atomic<uint64_t> wrong = 0, reads = 0;
  std::vector<std::thread> readers;
  for (uint64_t seed = 0; seed < 3; ++seed)
    readers.emplace_back([&, seed] {
      std::mt19937_64 chance(seed);
      bytes into(20'000);
      while (!over || reads < 100) {
        const uint64_t there = opened->end() - wal().first;
        const lsn at = wal().first + (there == 0 ? 0 : chance() % there);
        const byte_span part{into.data(), std::min<uint64_t>(into.size(), opened->end() - at)};
        const bool good =
            opened->read(at, part) && std::ranges::equal(part, piece(at, at + part.size()));
        wrong += !good;
        ++reads;
      }
    });
  const auto filled = fill(*opened, wal().end, 9);
  over = true;
  for (std::thread& reader : readers) reader.join();
  ASSERT_OK(filled);
  EXPECT_EQ(wrong, 0u);
}

TEST_F(segments, that_begin_where_nothing_before_is_known_can_be_read_by_pg_waldump) {
  for (const bool from_page : {false, true}) {
    const temporary_directory directory;
    const lsn at = middle();
    auto how = where(posix_file_system(), directory / "wal");
    how.start = at;
    auto opened = wal_directory::open(how).value();
    const lsn from = from_page ? pg::wal_page_start(at) : at;
    ASSERT_OK(opened->append(from, piece(from, wal().end)));
    ASSERT_OK(opened->sync());
    testing::give_to_database_user(directory / "wal");
    const auto dumped =
        testing::run({testing::pg_program("pg_waldump"), "-p", (directory / "wal").string(), "-s",
                      to_string(middle_segment())});
    const auto first = dumped.output.find("lsn: ");
    ASSERT_NE(first, std::string::npos) << dumped.errors;
    EXPECT_NE(dumped.output.find(
                  fmt::format("lsn: {:X}/{:08X}", at.value() >> 32, at.value() & 0xFFFFFFFF)),
              std::string::npos);
    EXPECT_EQ(wal_directory::open(how).value()->end(), wal().end);
  }
}

}  // namespace
}  // namespace zenith::wal
