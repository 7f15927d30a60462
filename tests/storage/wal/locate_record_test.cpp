// Finding the record at every byte of a real server's WAL.
#include <gtest/gtest.h>

#include "storage/postgres/wal_page.hpp"
#include "storage/wal/chained_source.hpp"
#include "tests/support/real_wal.hpp"
#include "tests/support/wal_in_memory.hpp"

namespace zenith::wal {
namespace {

using testing::real_wal;
using testing::sample_wal;
using testing::wal_in_memory;

std::vector<record_place> places() {
  const real_wal& wal = sample_wal();
  decoder decode(wal.identity, wal.first, lsn{});
  EXPECT_TRUE(decode.feed(wal.first, wal.from(wal.first)));
  std::vector<record_place> all;
  for (auto next = decode.next(); next && *next; next = decode.next())
    all.push_back({(*next)->start, (*next)->end,
                   lsn{load<pg::wal_record_header>((*next)->bytes.data()).previous}});
  return all;
}

// The first record whose end, or the start of the next one, is at or after the position.
const record_place& expected_at(const std::vector<record_place>& all, lsn at) {
  const uint32_t segment = sample_wal().identity.segment_size_bytes;
  return *std::ranges::lower_bound(all, at, {}, [&](const record_place& place) {
    return pg::past_page_header(place.end, segment);
  });
}

void expect_found(const wal_source& source, const std::vector<record_place>& all, lsn at) {
  const auto found = locate_record(source, sample_wal().identity, at);
  ASSERT_TRUE(found) << to_string(at) << ": " << found.error().message;
  const record_place& expected = expected_at(all, at);
  ASSERT_EQ(found->start, expected.start) << to_string(at);
  ASSERT_EQ(found->end, expected.end) << to_string(at);
  ASSERT_EQ(found->previous, expected.previous) << to_string(at);
}

TEST(locate_record, finds_it_from_every_byte_of_some_pages) {
  const real_wal& wal = sample_wal();
  const std::vector<record_place> all = places();
  const wal_in_memory source(wal.first, wal.end, wal);
  // Around a record over pages.
  const auto longer =
      std::ranges::find_if(all, [](const record_place& p) { return p.end - p.start > 9000; });
  ASSERT_NE(longer, all.end());
  for (lsn at = longer->start - 3000; at < longer->end + 3000; at = at + 1)
    expect_found(source, all, at);
  // Around the place where a segment was switched away, and in what is left of it.
  const auto switched = std::ranges::find_if(all, [&](const record_place& p) {
    return p.end - p.start > 30000 && p.end.value() % wal.identity.segment_size_bytes == 0 &&
           std::ranges::find_if(wal.records, [&](const auto& r) {
             return r.start == p.start && r.total_length_bytes == 24;
           }) != wal.records.end();
  });
  ASSERT_NE(switched, all.end());
  for (lsn at = switched->start - 500; at < switched->start + 9000; at = at + 1)
    expect_found(source, all, at);
  for (lsn at = switched->end - 100; at < switched->end + 1000; at = at + 1)
    expect_found(source, all, at);
}

TEST(locate_record, finds_every_record_from_its_start_its_middle_and_its_end) {
  const real_wal& wal = sample_wal();
  const std::vector<record_place> all = places();
  const wal_in_memory source(wal.begin, wal.end, wal);
  for (const record_place& place : all) {
    if (place.start != wal.first) expect_found(source, all, place.start);
    expect_found(source, all, place.start + (place.end - place.start) / 2);
    expect_found(source, all, place.end);
  }
}

TEST(locate_record, says_what_is_not_kept_and_what_has_not_arrived) {
  const real_wal& wal = sample_wal();
  const std::vector<record_place> all = places();
  const record_place& in_the_middle = all[all.size() / 2];
  const wal_in_memory later(in_the_middle.start, wal.end, wal);
  EXPECT_EQ(locate_record(later, wal.identity, in_the_middle.start).error().code,
            errc::out_of_range);
  EXPECT_EQ(locate_record(later, wal.identity, wal.first).error().code, errc::out_of_range);
  expect_found(later, all, in_the_middle.end);
  // An end inside of a record.
  const wal_in_memory cut(wal.first, in_the_middle.end - 9, wal);
  EXPECT_EQ(locate_record(cut, wal.identity, in_the_middle.end - 10).error().code,
            errc::not_arrived);
  EXPECT_EQ(locate_record(cut, wal.identity, in_the_middle.end).error().code, errc::not_arrived);
  expect_found(cut, all, in_the_middle.start);
}

TEST(locate_record, refuses_damaged_pages) {
  real_wal wal = sample_wal();
  const lsn at = wal.records[wal.records.size() / 2].start + 1;
  const wal_in_memory source(wal.begin, wal.end, wal);
  ASSERT_TRUE(locate_record(source, wal.identity, at));
  wal.data[pg::wal_page_start(at) - wal.begin] ^= std::byte{1};
  EXPECT_EQ(locate_record(source, wal.identity, at).error().code, errc::corrupt);
}

TEST(chained_wal_source, reads_each_side_of_its_seams_from_its_own_source) {
  real_wal a = sample_wal(), b = a, c = a;
  std::ranges::fill(a.data, std::byte{'a'});
  std::ranges::fill(b.data, std::byte{'b'});
  std::ranges::fill(c.data, std::byte{'c'});
  const lsn begin = a.begin;
  const auto first = std::make_shared<wal_in_memory>(begin, begin + 100, a);
  const auto second = std::make_shared<wal_in_memory>(begin + 50, begin + 200, b);
  const auto third = std::make_shared<wal_in_memory>(begin + 80, begin + 90, c);
  const auto text = [&](const wal_source& source, lsn at, size_t size) {
    bytes into(size);
    const auto read = source.read(at, into);
    return read ? std::string(as_text(into)) : read.error().message;
  };
  const auto two = std::make_shared<chained_wal_source>(first, begin + 50, second);
  EXPECT_EQ(two->begin(), begin);
  EXPECT_EQ(two->end(), begin + 200);
  EXPECT_EQ(text(*two, begin + 45, 10), "aaaaabbbbb");
  const chained_wal_source three(two, begin + 80, third);
  EXPECT_EQ(three.end(), begin + 90);
  EXPECT_EQ(text(three, begin + 49, 41), "a" + std::string(30, 'b') + std::string(10, 'c'));
  bytes into(20);
  EXPECT_EQ(three.read(begin + 80, into).error().code, errc::out_of_range);
  // A branch from before the seam of its parent's own WAL.
  const auto whole = std::make_shared<wal_in_memory>(begin + 20, begin + 90, c);
  const chained_wal_source early(two, begin + 20, whole);
  EXPECT_EQ(early.begin(), begin);
  // Where some of a source was removed, what comes before it helps nobody.
  EXPECT_EQ(chained_wal_source(two, begin + 20, third).begin(), begin + 80);
  EXPECT_EQ(text(early, begin + 15, 5), "aaaaa");
}

}  // namespace
}  // namespace zenith::wal
