// Segment files: what PostgreSQL reads in them, power cuts at every operation, and damage.
#include "storage/wal/segments.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <random>

#include "storage/io/durable_file.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/real_wal.hpp"
#include "tests/support/wal_in_memory.hpp"

namespace zenith::wal {
namespace {

using testing::memory_file_system;
using testing::real_wal;
using testing::sample_wal;
using testing::temporary_directory;
using testing::wal_in_memory;

class segments : public ::testing::Test {
 protected:
  const real_wal& wal() const { return sample_wal(); }
  uint32_t size() const { return wal().identity.segment_size_bytes; }
  lsn segment(uint64_t after_first) const {
    return pg::segment_start(wal().first, size()) + after_first * size();
  }
  wal_directory::parameters where(file_system& fs, const path& directory = "wal") const {
    wal_directory::parameters how;
    how.files = &fs;
    how.directory = directory;
    how.identity = wal().identity;
    how.start = wal().first;
    how.history = {{pg_timeline{1}, lsn{}}};
    return how;
  }
  byte_view piece(lsn from, lsn until) const { return wal().from(from).first(until - from); }
  // The same as if pg_timeline 2 had begun at `at`: the pages from there on say so.
  bytes switched(lsn at, lsn from, lsn until) const {
    bytes data(piece(from, until).begin(), piece(from, until).end());
    for (lsn page = pg::wal_page_start(at) + page_size_bytes; page < until;
         page = page + page_size_bytes)
      if (page >= from) store(data.data() + (page - from) + 4, uint32_t{2});  // xlp_tli
    return data;
  }
  // The record that contains an LSN or starts there.
  const testing::dumped_record& record_at(lsn at) const {
    return *std::prev(
        std::ranges::upper_bound(wal().records, at, {}, &testing::dumped_record::start));
  }
  // The start of a small record, not the first of its page, well inside of a segment that others
  // precede and follow.
  lsn middle() const {
    for (const auto& record : wal().records)
      if (record.start > segment(1) + size() / 4 && record.start.value() % size() > size() / 4 &&
          record.start.value() % size() < size() / 4 * 3 && record.total_length_bytes < 1000 &&
          record.start.value() % page_size_bytes > 4000 && record.start + 2 * size() < wal().end)
        return record.start;
    throw std::runtime_error("no such record in the sample");
  }
  lsn middle_segment() const { return pg::segment_start(middle(), size()); }
  lsn next_segment() const { return middle_segment() + size(); }
  void expect_holds(const wal_directory& opened, lsn from, lsn until) const {
    bytes there(until - from);
    const auto read = opened.read(from, there);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(std::ranges::equal(there, piece(from, until)));
  }
  // Appends in pieces of varied sizes, with a sync now and then.
  result<void> fill(wal_directory& to, lsn until, uint64_t seed, uint64_t* synced = nullptr) const {
    std::mt19937_64 chance(seed);
    while (to.end() < until) {
      const uint64_t now = std::min<uint64_t>(1 + chance() % 300'000, until - to.end());
      ZENITH_TRY(to.append(to.end(), piece(to.end(), to.end() + now)));
      if (chance() % 3 == 0) ZENITH_TRY(to.sync());
      if (synced != nullptr) *synced = to.durable_until().value();
    }
    ZENITH_TRY(to.sync());
    if (synced != nullptr) *synced = to.durable_until().value();
    return {};
  }

  memory_file_system fs_;
};

#define ASSERT_OK(expression)                             \
  do {                                                    \
    const auto& ok_ = (expression);                       \
    ASSERT_TRUE(ok_) << (ok_ ? "" : ok_.error().message); \
  } while (false)

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

TEST_F(segments, lose_nothing_durable_in_a_power_cut_at_every_operation) {
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

TEST_F(segments, give_up_what_a_failed_sync_left_and_take_it_again) {
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

TEST_F(segments, that_a_failed_sync_could_not_clear_are_durable_once_they_are_opened_again) {
  const lsn durable = wal().first + 5000, lost = durable + 70'000;
  auto how = where(fs_);
  {
    auto opened = wal_directory::open(how).value();
    ASSERT_OK(opened->append(wal().first, piece(wal().first, durable)));
    ASSERT_OK(opened->sync());
    ASSERT_OK(opened->append(durable, piece(durable, lost)));
    fs_.fail_at(fs_.operations(), memory_file_system::fault::lost, 2);
    const auto synced = opened->sync();
    ASSERT_FALSE(synced);
    EXPECT_EQ(synced.error().code, errc::io);
    EXPECT_NE(synced.error().message.find("not cleared"), std::string::npos)
        << synced.error().message;
    EXPECT_EQ(opened->end(), durable);
  }
  // The files say more than the disk has.
  const lsn end = wal_directory::open(how).value()->durable_until();
  EXPECT_GT(end, durable);
  fs_.power_cut();
  how.known_durable = end;
  const auto again = wal_directory::open(how);
  ASSERT_OK(again);
  EXPECT_EQ((*again)->end(), end);
  expect_holds(**again, wal().first, end);
}

TEST_F(segments, say_how_far_they_came_when_the_disk_is_full) {
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

TEST_F(segments, end_before_a_torn_record_and_are_overwritten_from_there) {
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

TEST_F(segments, are_damaged_where_more_wal_follows_or_a_record_was_durable) {
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

  ASSERT_OK(opened->append(at, switched(at, at, next_segment() + 500)));
  expect_holds(*opened, wal().first, at);
  const auto name = pg::segment_file_name(pg_timeline{2}, at.value() / size(), size());
  const bytes fresh = read_file(fs_, path("wal") / name).value();
  EXPECT_TRUE(fresh == switched(at, middle_segment(), next_segment()));
  auto again = wal_directory::open(how).value();
  EXPECT_EQ(again->end(), wal_directory::open(how).value()->end());
  EXPECT_GT(again->end(), at);
  EXPECT_LE(again->end(), next_segment() + 500);
  bytes held(again->end() - at);
  ASSERT_OK(again->read(at, held));
  EXPECT_TRUE(held == switched(at, at, again->end()));

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
  ASSERT_OK(opened->append(page, switched(at, page, wal().end)));
  ASSERT_OK(opened->sync());
  const auto name = pg::segment_file_name(pg_timeline{2}, at.value() / size(), size());
  const bytes file = read_file(posix_file_system(), directory / "wal" / name).value();
  EXPECT_TRUE(file == switched(at, middle_segment(), next_segment()));
  bytes other(piece(page, at).begin(), piece(page, at).end());
  other[30] ^= std::byte{1};
  EXPECT_EQ(opened->append(page, other).error().code, errc::conflict);
  EXPECT_EQ(opened->append(page - 1, other).error().code, errc::invalid_argument);
  const auto again = wal_directory::open(how).value();
  EXPECT_EQ(again->end(), wal().end);
  // Pages of the pg_timeline that was left are no WAL of this one.
  how.directory = directory / "other";
  ASSERT_OK(wal_directory::open(how).value()->append(at, piece(at, wal().end)));
  const auto left = wal_directory::open(how);
  ASSERT_FALSE(left);
  EXPECT_NE(left.error().message.find("pg_timeline: expected 2, found 1"), std::string::npos)
      << left.error().message;
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
