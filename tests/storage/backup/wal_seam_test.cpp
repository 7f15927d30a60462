// Where an appended record lies: page starts, segment starts, and crossings.
#include "storage/backup/wal_seam.hpp"

#include <gtest/gtest.h>

#include "storage/postgres/checkpoint.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::backup {
namespace {

constexpr uint32_t segment = 1024 * 1024;
const wal::wal_identity identity{system_identifier{0x1234}, segment};
constexpr pg_timeline timeline{3};

bytes checkpoint_like_record(lsn previous) {
  return pg::build_shutdown_checkpoint_record({}, previous);
}

// Decodes what was laid out, as a follower of the chain would.
void expect_readable(lsn at, const wal_piece& piece, lsn previous) {
  wal::decoder decoder{identity, at, previous};
  ASSERT_TRUE(decoder.feed(piece.at, piece.data));
  const auto next = decoder.next();
  ASSERT_TRUE(next) << next.error().message;
  ASSERT_TRUE(*next);
  EXPECT_EQ((*next)->start, record_start_at(at, identity));
  EXPECT_EQ((*next)->end, record_end((*next)->start, 114, identity));
  EXPECT_EQ((piece.at + piece.data.size()).aligned(), (*next)->end);
}

TEST(wal_seam, an_appended_record_is_read_back_at_every_position_around_page_and_segment_starts) {
  const lsn previous{0x10000};
  const bytes record = checkpoint_like_record(previous);
  for (const uint64_t middle : {uint64_t{0x200000 + 5 * page_size_bytes}, uint64_t{0x300000}}) {
    for (uint64_t at = middle - 128; at <= middle; at += 8) {
      SCOPED_TRACE(at);
      expect_readable(lsn{at}, lay_out_record(lsn{at}, record, timeline, identity), previous);
    }
  }
}

TEST(wal_seam, a_record_at_a_page_start_comes_after_a_header_of_the_right_size) {
  const bytes record = checkpoint_like_record(lsn{8});
  const auto page = lay_out_record(lsn{0x202000}, record, timeline, identity);
  EXPECT_EQ(record_start_at(lsn{0x202000}, identity), lsn{0x202018});
  EXPECT_EQ(page.data.size(), 24u + 114u);
  const auto first = lay_out_record(lsn{0x300000}, record, timeline, identity);
  EXPECT_EQ(record_start_at(lsn{0x300000}, identity), lsn{0x300028});
  EXPECT_EQ(first.data.size(), 40u + 114u);
  const auto header = load<pg::wal_long_page_header>(first.data.data());
  EXPECT_EQ(header.standard.timeline, 3u);
  EXPECT_EQ(header.standard.remaining_bytes, 0u);
  EXPECT_FALSE(header.standard.info & pg::wal_page_first_is_contrecord);
  EXPECT_EQ(header.segment_size_bytes, segment);
}

TEST(wal_seam, a_record_that_crosses_a_segment_goes_on_after_a_long_header) {
  const bytes record = checkpoint_like_record(lsn{8});
  const auto piece = lay_out_record(lsn{0x300000 - 16}, record, timeline, identity);
  EXPECT_EQ(piece.data.size(), 114u + 40u);
  const auto header = load<pg::wal_long_page_header>(piece.data.data() + 16);
  EXPECT_TRUE(header.standard.info & pg::wal_page_first_is_contrecord);
  EXPECT_EQ(header.standard.remaining_bytes, 98u);
  EXPECT_EQ(header.system, 0x1234u);
}

TEST(wal_seam, a_page_that_stands_in_for_lost_wal_leads_a_reader_to_the_next_record) {
  const lsn at{0x204000 + 0x318};
  const auto pieces = stand_in_for_lost_wal(at, timeline, identity);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].at, lsn{0x200000});
  EXPECT_EQ(load<pg::wal_page_header>(pieces[0].data.data()).remaining_bytes, 0u);
  EXPECT_EQ(pieces[1].at, lsn{0x204000});
  EXPECT_EQ(load<pg::wal_page_header>(pieces[1].data.data()).remaining_bytes, 0x300u);

  const auto first_page = stand_in_for_lost_wal(lsn{0x200000 + 0x128}, timeline, identity);
  ASSERT_EQ(first_page.size(), 1u);
  EXPECT_EQ(load<pg::wal_page_header>(first_page[0].data.data()).remaining_bytes, 0x100u);
  // The page that begins at L brings its own header.
  EXPECT_EQ(stand_in_for_lost_wal(lsn{0x204000}, timeline, identity).size(), 1u);
  EXPECT_TRUE(stand_in_for_lost_wal(lsn{0x200000}, timeline, identity).empty());
}

// A sink that keeps what it gets.
class memory_sink final : public backup_sink {
 public:
  result<void> add_directory(std::string_view) override { return {}; }
  result<void> add_tablespace(uint32_t) override { return {}; }
  result<void> begin_file(std::string_view name, uint32_t, uint64_t) override {
    files.emplace_back(name, bytes{});
    return {};
  }
  result<void> write(byte_view data) override {
    files.back().second.insert(files.back().second.end(), data.begin(), data.end());
    return {};
  }
  result<void> end_file() override { return {}; }
  result<void> finish() override { return {}; }

  std::vector<std::pair<std::string, bytes>> files;
};

// WAL whose every byte tells its LSN.
class patterned_source final : public wal::wal_source {
 public:
  patterned_source(lsn begin, lsn end) : begin_(begin), end_(end) {}
  lsn begin() const override { return begin_; }
  lsn end() const override { return end_; }
  result<void> read(lsn at, byte_span into) const override {
    if (at < begin_ || at + into.size() > end_) return fail(errc::out_of_range, "not kept");
    for (size_t i = 0; i < into.size(); ++i) into[i] = byte_at(at + i);
    return {};
  }
  static std::byte byte_at(lsn at) { return static_cast<std::byte>(at.value() / 256 % 255 + 1); }

 private:
  lsn begin_;
  lsn end_;
};

TEST(wal_seam, the_segment_holds_the_true_bytes_before_l_and_zeros_after_the_record) {
  const lsn at{0x200000 + 0x5428};
  const patterned_source source{lsn{0x100000}, at};
  const bytes record = checkpoint_like_record(lsn{0x200028});
  memory_sink sink;
  ASSERT_TRUE(write_wal(
      {identity, timeline, at, at, lay_out_record(at, record, timeline, identity)}, &source, sink));
  ASSERT_EQ(sink.files.size(), 1u);
  EXPECT_EQ(sink.files[0].first, "pg_wal/000000030000000000000002");
  const bytes& data = sink.files[0].second;
  ASSERT_EQ(data.size(), segment);
  for (size_t i = 0; i < 0x5428; ++i)
    ASSERT_EQ(data[i], patterned_source::byte_at(lsn{0x200000 + i})) << i;
  EXPECT_TRUE(std::ranges::equal(byte_view{data}.subspan(0x5428, 114), record));
  EXPECT_TRUE(std::ranges::all_of(byte_view{data}.subspan(0x5428 + 114),
                                  [](std::byte b) { return b == std::byte{0}; }));
}

TEST(wal_seam, true_bytes_begin_at_the_first_page_that_is_wholly_kept) {
  const lsn at{0x200000 + 0x5428};
  const patterned_source source{lsn{0x200000 + 0x2100}, at};
  memory_sink sink;
  ASSERT_TRUE(write_wal({identity, timeline, at, at,
                         lay_out_record(at, checkpoint_like_record(lsn{8}), timeline, identity)},
                        &source, sink));
  const bytes& data = sink.files.at(0).second;
  EXPECT_EQ(load<pg::wal_page_header>(data.data()).magic, pg::wal_page_magic);
  EXPECT_EQ(data[0x2200], std::byte{0});
  EXPECT_EQ(data[0x4000], patterned_source::byte_at(lsn{0x204000}));
}

// WAL of pages that hold a header and nothing else.
class headers_source final : public wal::wal_source {
 public:
  headers_source(lsn begin, lsn end, pg_timeline number) : begin_(begin), end_(end), of_(number) {}
  lsn begin() const override { return begin_; }
  lsn end() const override { return end_; }
  result<void> read(lsn at, byte_span into) const override {
    for (size_t i = 0; i < into.size(); ++i) {
      const lsn page = pg::wal_page_start(at + i);
      const bytes header = pg::encode_page_header(page, of_, 0, identity.system, segment);
      const uint64_t offset = at + i - page;
      into[i] = offset < header.size() ? header[offset] : std::byte{0};
    }
    return {};
  }

 private:
  lsn begin_;
  lsn end_;
  pg_timeline of_;
};

TEST(wal_seam, stand_ins_carry_no_higher_pg_timeline_than_the_true_pages_after_them) {
  const lsn at{0x200000 + 0x5428};
  const headers_source parents{lsn{0x200000 + 0x2100}, at, pg_timeline{1}};
  memory_sink sink;
  ASSERT_TRUE(write_wal({identity, timeline, at, at,
                         lay_out_record(at, checkpoint_like_record(lsn{8}), timeline, identity)},
                        &parents, sink));
  const bytes& data = sink.files.at(0).second;
  EXPECT_EQ(load<pg::wal_page_header>(data.data()).timeline, 1u);
  EXPECT_EQ(load<pg::wal_page_header>(data.data() + 0x4000).timeline, 1u);
}

TEST(wal_seam, wal_that_the_server_must_find_and_that_is_not_kept_is_an_error) {
  const lsn at{0x200000 + 0x5428};
  memory_sink sink;
  const patterned_source late{at - 8, at};
  EXPECT_EQ(write_wal({identity, timeline, at - 120, at, {}}, &late, sink).error().code,
            errc::out_of_range);
  EXPECT_EQ(write_wal({identity, timeline, at - 120, at, {}}, nullptr, sink).error().code,
            errc::out_of_range);
}

TEST(wal_seam, a_checkpoint_that_crosses_into_a_segment_needs_both_files) {
  const lsn at{0x300000 + 0x60};
  const patterned_source source{lsn{0x200000}, at};
  memory_sink sink;
  ASSERT_TRUE(write_wal({identity, timeline, lsn{0x300000 - 56}, at, {}}, &source, sink));
  ASSERT_EQ(sink.files.size(), 2u);
  EXPECT_EQ(sink.files[0].first, "pg_wal/000000030000000000000002");
  EXPECT_EQ(sink.files[1].first, "pg_wal/000000030000000000000003");
  EXPECT_EQ(sink.files[1].second[0x5F], patterned_source::byte_at(lsn{0x30005F}));
  EXPECT_EQ(sink.files[1].second[0x60], std::byte{0});
}

}  // namespace
}  // namespace zenith::backup
