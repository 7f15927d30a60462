// Segment files through power cuts at every operation, full disks, torn records, and damage.
#include <gtest/gtest.h>

#include "storage/io/durable_file.hpp"
#include "tests/storage/wal/segments_fixture.hpp"
#include "tests/support/wal_in_memory.hpp"

namespace zenith::wal {
namespace {

using testing::memory_file_system;
using testing::wal_in_memory;

class segments_after_a_crash : public segments_fixture {};

TEST_F(segments_after_a_crash, lose_nothing_durable_in_a_power_cut_at_every_operation) {
  // Two segments and a half, to a place inside of a record.
  const lsn until = segment(2) + size() / 2 + 12345;
  for (const bool some_survives : {false, true}) {
    bool completed = false;
    for (uint64_t cut = 0; !completed; cut += 1) {
      memory_file_system fs;
      uint64_t durable = wal().first.value();
      fs.fail_at(cut, memory_file_system::fault::power);
      {
        auto opened = wal_directory::open(where(fs));
        ASSERT_OK(opened);
        completed = fill(**opened, until, cut, &durable).has_value();
      }
      if (some_survives)
        fs.power_cut_keeping_some(cut + 1);
      else
        fs.power_cut();
      auto how = where(fs);
      // All whole records up to the durable byte are there.
      how.known_durable = std::max(
          wal().first, durable > wal().first.value() ? record_at(lsn{durable}).start : lsn{});
      if (pg::past_page_header(pg::wal_page_start(how.known_durable), size()) == how.known_durable)
        how.known_durable = pg::wal_page_start(how.known_durable);
      how.known_durable = std::max(how.known_durable, wal().first);
      auto opened = wal_directory::open(how);
      ASSERT_OK(opened);
      const lsn end = (*opened)->end();
      expect_holds(**opened, wal().first, end);
      ASSERT_OK(fill(**opened, until, cut + 7));
      expect_holds(**opened, wal().first, until);
      ASSERT_LT(cut, 500u);
    }
  }
}

TEST_F(segments_after_a_crash, give_up_what_a_failed_sync_left_and_take_it_again) {
  auto opened = wal_directory::open(where(fs_)).value();
  const lsn durable = wal().first + 5000, lost = durable + 70'000;
  ASSERT_OK(opened->append(wal().first, piece(wal().first, durable)));
  ASSERT_OK(opened->sync());
  ASSERT_OK(opened->append(durable, piece(durable, lost)));
  fs_.fail_at(fs_.operations(), memory_file_system::fault::io_error);
  EXPECT_EQ(opened->sync().error().code, errc::io);
  EXPECT_EQ(opened->end(), durable);
  EXPECT_EQ(opened->durable_until(), durable);
  // Another process would not take what only memory has for durable.
  EXPECT_LE(wal_directory::open(where(fs_)).value()->end(), durable);
  ASSERT_OK(opened->append(durable, piece(durable, lost)));
  ASSERT_OK(opened->sync());
  fs_.power_cut();
  auto again = wal_directory::open(where(fs_)).value();
  EXPECT_GT(again->end(), durable);
  expect_holds(*again, wal().first, again->end());
}

TEST_F(segments_after_a_crash, say_how_far_they_came_when_the_disk_is_full) {
  for (uint64_t failing = 0; failing < 25; ++failing) {
    memory_file_system fs;
    auto opened = wal_directory::open(where(fs)).value();
    fs.fail_at(failing, memory_file_system::fault::no_space);
    const lsn until = segment(2) + 1000;
    int failures = 0;
    while (opened->end() < until)
      if (!opened->append(opened->end(), piece(opened->end(), until))) ASSERT_LT(++failures, 2);
    ASSERT_OK(opened->sync());
    fs.power_cut();
    auto again = wal_directory::open(where(fs));
    ASSERT_OK(again);
    EXPECT_GE((*again)->end(), record_at(until - 40).start - 40);
    expect_holds(**again, wal().first, (*again)->end());
  }
}

TEST_F(segments_after_a_crash, end_before_a_torn_record_and_are_overwritten_from_there) {
  const lsn torn = middle();
  const auto& record = record_at(torn);
  for (const uint64_t damaged_byte :
       {uint64_t{0}, uint64_t{9}, uint64_t{20}, uint64_t{record.total_length_bytes} - 1}) {
    memory_file_system fs;
    ASSERT_OK(fill(*wal_directory::open(where(fs)).value(), torn + 1000, 3));
    {
      const auto name =
          "wal/" + pg::segment_file_name(pg_timeline{1}, torn.value() / size(), size());
      auto file = fs.open(name, open_mode::write).value();
      std::byte byte;
      ASSERT_OK(file->read(torn.value() % size() + damaged_byte, {&byte, 1}));
      byte ^= std::byte{0x10};
      ASSERT_OK(file->write(torn.value() % size() + damaged_byte, {&byte, 1}));
    }
    auto opened = wal_directory::open(where(fs));
    ASSERT_OK(opened);
    EXPECT_EQ((*opened)->end(), torn);
    EXPECT_NE((*opened)->opened_at().torn.find(to_string(torn)), std::string::npos);
    ASSERT_OK((*opened)->append(torn, piece(torn, next_segment() + 100)));
    expect_holds(**opened, wal().first, next_segment() + 100);
  }
}

TEST_F(segments_after_a_crash, are_damaged_where_more_wal_follows_or_a_record_was_durable) {
  ASSERT_OK(fill(*wal_directory::open(where(fs_)).value(), wal().end, 4));
  const lsn at = middle() + 1;
  auto file = fs_.open("wal/" + pg::segment_file_name(pg_timeline{1}, at.value() / size(), size()),
                       open_mode::write)
                  .value();
  ASSERT_OK(file->write(at.value() % size(), as_bytes("damage")));
  const auto opened = wal_directory::open(where(fs_));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::corrupt);
  EXPECT_NE(opened.error().message.find(to_string(next_segment())), std::string::npos)
      << opened.error().message;
  // The same in the last segment, known to have been durable.
  memory_file_system fs;
  const lsn end = middle();
  ASSERT_OK(fill(*wal_directory::open(where(fs)).value(), end, 4));
  auto how = where(fs);
  how.known_durable = end + 8;
  EXPECT_EQ(wal_directory::open(how).error().code, errc::corrupt);
  how.known_durable = end;
  EXPECT_TRUE(wal_directory::open(how));
}

TEST_F(segments_after_a_crash, of_a_branch_lose_nothing_durable_while_its_pg_timeline_changes) {
  const auto parent = std::make_shared<wal_in_memory>(wal().first, wal().end, wal());
  const lsn start = middle(), at = boundary_after(next_segment() + size());
  const lsn until = at + 5000;
  bool completed = false;
  for (uint64_t cut = 0; !completed; ++cut) {
    memory_file_system fs;
    auto how = where(fs);
    how.start = start;
    how.history = {{pg_timeline{1}, lsn{}}, {pg_timeline{2}, start}};
    how.before = parent;
    fs.fail_at(cut, memory_file_system::fault::power);
    {
      auto opened = wal_directory::open(how).value();
      completed = fill(*opened, at + 3000, cut) && opened->switch_timeline(pg_timeline{3}, at);
      // Recorded as soon as it is done.
      how.history = opened->history();
      completed = completed && fill(*opened, until, cut);
    }
    fs.power_cut_keeping_some(cut);
    auto opened = wal_directory::open(how);
    ASSERT_OK(opened);
    if (how.history.size() == 3) EXPECT_GE((*opened)->end(), at);
    expect_holds(**opened, start, (*opened)->end());
    ASSERT_OK(fill(**opened, until, 1));
    expect_holds(**opened, start, until);
    for (const lsn place : {start, at}) {
      const auto number = how.history.size() == 3 && place == at ? 3u : 2u;
      const lsn begin = pg::segment_start(place, size());
      const auto name = pg::segment_file_name(pg_timeline{number}, begin.value() / size(), size());
      const bytes file = read_file(fs, path("wal") / name).value();
      EXPECT_TRUE(std::ranges::equal(byte_view{file}.first(place - begin), piece(begin, place)))
          << name << " after a cut at " << cut;
    }
    ASSERT_LT(cut, 500u);
  }
}

}  // namespace
}  // namespace zenith::wal
