// Segment file names and page headers, against what PostgreSQL itself names and writes.
#include "storage/postgres/wal_page.hpp"

#include <gtest/gtest.h>

namespace zenith::pg {
namespace {

constexpr uint32_t sixteen_mib = 16 * 1024 * 1024;
constexpr uint32_t one_mib = 1024 * 1024;

TEST(segment_names, are_the_ones_that_pg_walfile_name_gives) {
  // select pg_walfile_name(lsn) on servers with these segment sizes.
  EXPECT_EQ(segment_file_name(pg_timeline{1}, lsn{0x16B374D848}.value() / sixteen_mib, sixteen_mib),
            "0000000100000016000000B3");
  EXPECT_EQ(segment_file_name(pg_timeline{10}, lsn{0x16B374D848}.value() / one_mib, one_mib),
            "0000000A0000001600000B37");
}

TEST(segment_names, are_read_back_and_others_refused) {
  for (const uint32_t size : {one_mib, sixteen_mib, 1024 * one_mib}) {
    for (const uint64_t number : {uint64_t{1}, uint64_t{255}, uint64_t{256}, uint64_t{123456789}}) {
      const std::string name = segment_file_name(pg_timeline{7}, number, size);
      EXPECT_EQ(parse_segment_file_name(name, size), (segment_name{pg_timeline{7}, number}));
    }
  }
  for (const char* bad :
       {"", "00000001000000000000000", "0000000100000000000000010", "00000001000000000000000g",
        "0000000100000000000000ab", "000000000000000000000001", "000000010000000000000100",
        "00000001.history"})
    EXPECT_FALSE(parse_segment_file_name(bad, sixteen_mib)) << bad;
}

TEST(page_headers, are_long_only_at_the_start_of_a_segment) {
  const bytes at_start =
      encode_page_header(lsn{one_mib}, pg_timeline{3}, 0, system_identifier{42}, one_mib);
  ASSERT_EQ(at_start.size(), 40u);
  const auto header = load<wal_long_page_header>(at_start.data());
  EXPECT_EQ(header.standard.info, wal_page_long_header);
  EXPECT_EQ(header.system, 42u);
  EXPECT_EQ(header.segment_size_bytes, one_mib);
  EXPECT_EQ(header.page_size_bytes, 8192u);

  const bytes inside =
      encode_page_header(lsn{one_mib + 8192}, pg_timeline{3}, 77, system_identifier{42}, one_mib);
  ASSERT_EQ(inside.size(), 24u);
  const auto shorter = load<wal_page_header>(inside.data());
  EXPECT_EQ(shorter.info, wal_page_first_is_contrecord);
  EXPECT_EQ(shorter.remaining_bytes, 77u);
  EXPECT_EQ(shorter.timeline, 3u);
  EXPECT_EQ(shorter.address, one_mib + 8192u);
}

}  // namespace
}  // namespace zenith::pg
