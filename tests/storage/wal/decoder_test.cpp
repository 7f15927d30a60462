// The decoder on WAL of a real server, judged by pg_waldump, and on every way to damage it.
#include "storage/wal/decoder.hpp"

#include <gtest/gtest.h>

#include "storage/postgres/wal_page.hpp"
#include "tests/support/real_wal.hpp"

namespace zenith::wal {
namespace {

using testing::real_wal;
using testing::sample_wal;

struct seen_record {
  lsn start;
  lsn end;
  bytes whole;

  bool operator==(const seen_record&) const = default;
};

struct outcome {
  std::vector<seen_record> records;
  std::optional<error> failure;
  bool at_zeros = false;
  lsn position;
};

// Feeds pieces of one size and takes each record as soon as it is there.
outcome decode(const wal_identity& identity, lsn start, lsn at, byte_view data, size_t piece) {
  decoder decode(identity, start, lsn{});
  outcome seen;
  const auto drain = [&] {
    for (;;) {
      auto next = decode.next();
      if (!next) {
        seen.failure = next.error();
        return false;
      }
      if (!*next) return true;
      seen.records.push_back(
          {(*next)->start, (*next)->end, {(*next)->bytes.begin(), (*next)->bytes.end()}});
    }
  };
  while (!data.empty()) {
    const byte_view now = data.first(std::min(piece, data.size()));
    EXPECT_TRUE(decode.feed(at, now).has_value());
    at = at + now.size();
    data = data.subspan(now.size());
    if (!drain()) break;
  }
  seen.at_zeros = decode.failed_at_zeros();
  seen.position = decode.position();
  return seen;
}

outcome decode_all(const real_wal& wal, size_t piece) {
  return decode(wal.identity, wal.first, wal.first, wal.from(wal.first), piece);
}

// A small piece of the sample: from a page's start, with records that cross pages, to a page's end.
struct small_piece {
  wal_identity identity;
  lsn page;
  lsn start;
  bytes data;
};
small_piece some_pages(size_t pages) {
  const real_wal& wal = sample_wal();
  // The long message lies behind some small records; its page is the first of the piece.
  for (const auto& record : wal.records) {
    if (record.total_length_bytes < 9000 || record.total_length_bytes > 13000) continue;
    const lsn page = pg::wal_page_start(record.start);
    const auto view = wal.from(page).first(pages * page_size_bytes);
    return {wal.identity, page, record.start, {view.begin(), view.end()}};
  }
  throw std::runtime_error("no record over two pages");
}

TEST(decoder, finds_the_records_that_pg_waldump_finds) {
  const real_wal& wal = sample_wal();
  const outcome seen = decode_all(wal, 64 * 1024);
  ASSERT_EQ(seen.records.size(), wal.records.size());
  size_t switches = 0, over_pages = 0, over_segments = 0;
  for (size_t i = 0; i < seen.records.size(); ++i) {
    const auto header = load<pg::wal_record_header>(seen.records[i].whole.data());
    EXPECT_EQ(seen.records[i].start, wal.records[i].start);
    EXPECT_EQ(lsn{header.previous}, wal.records[i].previous);
    EXPECT_EQ(header.total_length_bytes, wal.records[i].total_length_bytes);
    EXPECT_EQ(seen.records[i].whole.size(), header.total_length_bytes);
    if (i > 0) {
      const lsn end = seen.records[i - 1].end;
      EXPECT_EQ(pg::past_page_header(end, wal.identity.segment_size_bytes), seen.records[i].start);
    }
    const lsn last_byte = seen.records[i].end - 1;
    switches += header.is_switch();
    over_pages += pg::wal_page_start(last_byte) != pg::wal_page_start(seen.records[i].start);
    over_segments += pg::segment_start(last_byte, wal.identity.segment_size_bytes) !=
                     pg::segment_start(seen.records[i].start, wal.identity.segment_size_bytes);
  }
  EXPECT_GE(switches, 2u);
  EXPECT_GT(over_pages, 10u);
  EXPECT_GE(over_segments, 1u);
  // The server stopped cleanly: zeros follow in the last segment.
  ASSERT_TRUE(seen.failure.has_value());
  EXPECT_TRUE(seen.at_zeros) << seen.failure->message;
  EXPECT_EQ(seen.position, wal.end);
}

TEST(decoder, gives_the_same_in_any_chunking) {
  const real_wal& wal = sample_wal();
  const outcome whole = decode_all(wal, wal.data.size());
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{24}, size_t{333}, size_t{8191},
                             size_t{8192}, size_t{8193}, size_t{100000}}) {
    const outcome seen = decode_all(wal, piece);
    EXPECT_EQ(seen.records, whole.records) << piece;
    ASSERT_TRUE(seen.failure.has_value());
    EXPECT_EQ(seen.failure->message, whole.failure->message) << piece;
    EXPECT_EQ(seen.at_zeros, whole.at_zeros) << piece;
  }
}

TEST(decoder, starts_at_every_record_fed_from_it_or_from_its_page) {
  const small_piece piece = some_pages(12);
  const outcome whole =
      decode(piece.identity, piece.start, piece.page, piece.data, piece.data.size());
  ASSERT_GT(whole.records.size(), 20u);
  for (size_t i = 0; i < whole.records.size(); ++i) {
    const std::vector<seen_record> expected(whole.records.begin() + static_cast<ptrdiff_t>(i),
                                            whole.records.end());
    const lsn start = whole.records[i].start;
    for (const lsn at : {start, pg::wal_page_start(start)}) {
      const byte_view data = byte_view{piece.data}.subspan(at - piece.page);
      EXPECT_EQ(decode(piece.identity, start, at, data, data.size()).records, expected);
    }
  }
}

TEST(decoder, gives_a_prefix_of_the_records_for_every_prefix_of_the_bytes) {
  const small_piece piece = some_pages(9);
  const outcome whole =
      decode(piece.identity, piece.start, piece.page, piece.data, piece.data.size());
  ASSERT_GT(whole.records.size(), 3u);
  for (size_t cut = 0; cut <= piece.data.size(); cut += cut % 64 == 0 ? 1 : 3) {
    const outcome seen = decode(piece.identity, piece.start, piece.page,
                                byte_view{piece.data}.first(cut), piece.data.size());
    ASSERT_FALSE(seen.failure.has_value()) << seen.failure->message;
    size_t expected = 0;
    while (expected < whole.records.size()) {
      // A record is whole once its last byte is there; alignment may follow.
      const seen_record& record = whole.records[expected];
      const uint64_t unpadded = (record.whole.size() + 7) / 8 * 8 - record.whole.size();
      if ((record.end - unpadded) - piece.page > cut) break;
      ++expected;
    }
    ASSERT_EQ(seen.records.size(), expected) << cut;
    for (size_t i = 0; i < expected; ++i) ASSERT_EQ(seen.records[i], whole.records[i]);
  }
}

TEST(decoder, never_gives_another_record_when_a_byte_is_flipped) {
  const small_piece piece = some_pages(10);
  const outcome whole =
      decode(piece.identity, piece.start, piece.page, piece.data, piece.data.size());
  size_t refused = 0;
  for (size_t at = 0; at < piece.data.size(); at += at % page_size_bytes < 200 ? 1 : 13) {
    bytes damaged = piece.data;
    damaged[at] ^= std::byte(1u << (at % 8));
    const outcome seen =
        decode(piece.identity, piece.start, piece.page, damaged, piece.data.size());
    ASSERT_LE(seen.records.size(), whole.records.size());
    for (size_t i = 0; i < seen.records.size(); ++i) {
      ASSERT_EQ(seen.records[i], whole.records[i]) << at;
    }
    if (seen.failure) {
      ++refused;
      EXPECT_EQ(seen.failure->code, errc::corrupt);
      EXPECT_NE(seen.failure->message.find("0/"), std::string::npos) << seen.failure->message;
    }
  }
  EXPECT_GT(refused, 1000u);
}

TEST(decoder, waits_for_no_more_than_a_bad_length_allows) {
  const small_piece piece = some_pages(2);
  bytes damaged = piece.data;
  const size_t at = piece.start - piece.page;
  store<uint32_t>(damaged.data() + at, 0x7FFFFFFFu);
  const outcome seen = decode(piece.identity, piece.start, piece.page, damaged, 1);
  ASSERT_TRUE(seen.failure.has_value());
  EXPECT_NE(seen.failure->message.find("length"), std::string::npos) << seen.failure->message;
  // A length that could be: the next page's header speaks against it.
  store<uint32_t>(damaged.data() + at, 500'000'000u);
  const outcome later = decode(piece.identity, piece.start, piece.page, damaged, 1);
  ASSERT_TRUE(later.failure.has_value());
  EXPECT_NE(later.failure->message.find(to_string(piece.page + page_size_bytes)), std::string::npos)
      << later.failure->message;
}

TEST(decoder, refuses_another_system_segment_size_and_an_older_timeline) {
  const real_wal& wal = sample_wal();
  // A segment that begins with a record: the one after a switch.
  const auto first = std::ranges::find_if(wal.records, [&](const auto& record) {
    return pg::segment_start(record.start, wal.identity.segment_size_bytes) + 40 == record.start;
  });
  ASSERT_NE(first, wal.records.end());
  const lsn segment = first->start - 40;
  const byte_view data = wal.from(segment).first(20000);
  const auto refusal = [&](const wal_identity& identity, byte_view bytes) {
    const outcome seen = decode(identity, first->start, segment, bytes, 20000);
    return seen.failure ? seen.failure->message : std::string();
  };
  EXPECT_EQ(refusal(wal.identity, data), "");
  wal_identity other = wal.identity;
  other.system = system_identifier{1};
  EXPECT_NE(refusal(other, data).find("system"), std::string::npos);
  other = wal.identity;
  other.segment_size_bytes *= 2;
  EXPECT_NE(refusal(other, data).find("segment size"), std::string::npos);
  bytes older(data.begin(), data.end());
  store<uint32_t>(older.data() + 4, 2);  // the first page is of pg_timeline 2, the second of 1
  EXPECT_NE(refusal(wal.identity, older).find("pg_timeline"), std::string::npos);
}

TEST(decoder, refuses_a_wrong_back_link_where_the_record_before_is_known) {
  const real_wal& wal = sample_wal();
  const auto& second = wal.records[1];
  for (const lsn previous : {wal.records[0].start, wal.records[0].start - 8}) {
    decoder decode(wal.identity, second.start, previous);
    ASSERT_TRUE(decode.feed(second.start, wal.from(second.start).first(9000)));
    EXPECT_EQ(decode.next().has_value(), previous == wal.records[0].start);
  }
}

TEST(decoder, refuses_to_start_in_a_header_in_a_record_and_nowhere) {
  const small_piece piece = some_pages(3);
  const lsn next_page = piece.page + page_size_bytes;
  const byte_view data = byte_view{piece.data}.subspan(page_size_bytes);
  for (const lsn start : {next_page, next_page + 8, next_page + 24})
    EXPECT_TRUE(decode(piece.identity, start, next_page, data, data.size()).failure)
        << start.value();
  for (const lsn start : {lsn{}, lsn{piece.start.value() + 1}, lsn::max() - 7}) {
    decoder nowhere(piece.identity, start, lsn{});
    EXPECT_EQ(nowhere.next().error().code, errc::invalid_argument);
    EXPECT_EQ(nowhere.feed(start, data).error().code, errc::invalid_argument);
  }
  decoder bad_size({piece.identity.system, 0}, piece.start, lsn{});
  EXPECT_EQ(bad_size.next().error().code, errc::invalid_argument);
}

TEST(decoder, refuses_a_gap_in_what_is_fed) {
  const small_piece piece = some_pages(2);
  decoder decode(piece.identity, piece.start, lsn{});
  ASSERT_TRUE(decode.feed(piece.start, byte_view{piece.data}.subspan(0, 0)));
  const byte_view data = byte_view{piece.data}.subspan(piece.start - piece.page);
  ASSERT_TRUE(decode.feed(piece.start, data.first(10)));
  EXPECT_EQ(decode.feed(piece.start + 11, data.subspan(11)).error().code, errc::invalid_argument);
  EXPECT_EQ(decode.feed(piece.start, data).error().code, errc::invalid_argument);
  EXPECT_TRUE(decode.feed(piece.start + 10, data.subspan(10)));
  EXPECT_EQ(decode.fed_until(), piece.page + 2 * page_size_bytes);
}

}  // namespace
}  // namespace zenith::wal
