// WAL streams that stop, repeat, jump, are damaged, or belong to something else.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <random>

#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/repository/timeline_store.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/real_wal.hpp"

namespace zenith::repository {
namespace {

using testing::real_wal;
using testing::sample_wal;

/// A root timeline that begins with the sample's second record.
class stream : public ::testing::Test {
 protected:
  stream() {
    metadata_.id.value.fill(0xAB);
    metadata_.system = wal().identity.system;
    metadata_.segment_size_bytes = segment_bytes();
    metadata_.start = wal().records[1].start;
    metadata_.start_previous_record = wal().records[0].start;
    metadata_.pg_timelines = {{pg_timeline{1}, lsn{1}}};
    const path layers = directory_ / "layers";
    const path folder = directory_ / "wal";
    must(create_directories_durably(files_, layers));
    must(create_directories_durably(files_, folder));
    auto image = must(layers::image_writer::create(files_, layers / base_image_name, start()));
    must(image.add(key::control(), pg::encode_control_data({})));
    must(image.add(key::next_full_xid(), bytes(8)));
    must(image.add(key::next_oid(), bytes(4)));
    must(image.add(key::next_multixact(), bytes(8)));
    must(image.finish());
    const lsn segment = pg::segment_start(start(), segment_bytes());
    const byte_view first = wal().from(segment).first(start() - segment);
    bytes file(first.begin(), first.end());
    file.resize(segment_bytes());
    must(write_file_durably(
        files_,
        folder / pg::segment_file_name(pg_timeline{1}, segment.value() / segment_bytes(),
                                       segment_bytes()),
        file));
  }

  static const real_wal& wal() { return sample_wal(); }
  static uint32_t segment_bytes() { return wal().identity.segment_size_bytes; }
  lsn start() const { return metadata_.start; }
  static lsn segment(uint64_t after_first) {
    return pg::segment_start(wal().first, segment_bytes()) + after_first * segment_bytes();
  }
  static bytes piece(lsn from, lsn until) {
    const byte_view there = wal().from(from).first(until - from);
    return {there.begin(), there.end()};
  }
  /// Where the records that are whole before an LSN end, as the sample says.
  static lsn last_start_before(lsn at) {
    lsn last;
    for (const auto& record : wal().records)
      if (record.start < at) last = record.start;
    return last;
  }

  std::unique_ptr<timeline_store> open() {
    timeline_store::parameters how;
    how.files = &files_;
    how.directory = directory_;
    how.metadata = metadata_;
    return must(timeline_store::open(std::move(how)));
  }
  template <class T>
  static T must(result<T> done) {
    if (!done) throw std::runtime_error(done.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*done);
  }
  static void expect_refused(const result<void>& appended, errc code, const std::string& words) {
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().code, code) << appended.error().message;
    EXPECT_NE(appended.error().message.find(words), std::string::npos) << appended.error().message;
  }
  /// What was refused holds nobody up: the timeline reads up to `end`, now and after a restart, and
  /// goes on from there once the source is right again.
  void expect_readable_and_going_on(std::unique_ptr<timeline_store> store, lsn end) {
    EXPECT_EQ(store->end(), end);
    EXPECT_EQ(store->received(), end);
    EXPECT_EQ(store->view()->until(), end);
    store.reset();
    files_.power_cut_keeping_some(end.value());
    store = open();
    EXPECT_LE(store->end(), end);
    const lsn from = must(store->begin_stream());
    must(store->append(from, piece(from, wal().end)));
    EXPECT_EQ(store->end(), wal().end);
  }

  testing::memory_file_system files_;
  const path directory_ = path("timelines") / "abababababababababababababababab";
  timeline_metadata metadata_;
};

TEST_F(stream, that_stops_in_a_record_goes_on_from_where_the_record_begins) {
  const auto store = open();
  std::mt19937_64 random(1);
  while (store->end() < wal().end) {
    const lsn from = must(store->begin_stream());
    EXPECT_EQ(store->received(), from);
    const lsn until = std::min(from + 1 + random() % 400'000, wal().end);
    must(store->append(from, piece(from, until)));
    EXPECT_GE(store->received(), until);
    EXPECT_GE(store->end(), last_start_before(until));
    if (store->end() > from || until == wal().end) continue;
    // A record that is longer than what came.
    must(store->append(until, piece(until, wal().end)));
  }
  EXPECT_EQ(open()->end(), wal().end);
}

class stream_with_a_switch_of_segments : public stream {
 protected:
  /// The WAL comes up to the middle of what follows the record in its segment, which is no WAL.
  void expect_going_on_after_the_switch(bool stops) {
    const auto ended_early = std::ranges::find_if(wal().records, [&](const auto& record) {
      return record.rmgr == "XLOG" && record.total_length_bytes == 24;
    });
    ASSERT_NE(ended_early, wal().records.end());
    const lsn next = pg::segment_start(ended_early->start, segment_bytes()) + segment_bytes();
    const lsn middle = ended_early->start + 100;
    const auto store = open();
    const lsn from = must(store->begin_stream());
    must(store->append(from, piece(from, middle)));
    EXPECT_EQ(store->end(), next);
    const lsn on = stops ? must(store->begin_stream()) : middle;
    EXPECT_EQ(on, stops ? next : middle);
    must(store->append(on, piece(on, wal().end)));
    EXPECT_EQ(store->end(), wal().end);
    EXPECT_EQ(open()->end(), wal().end);
  }
};

TEST_F(stream_with_a_switch_of_segments, that_stops_behind_it_goes_on_with_the_next_one) {
  expect_going_on_after_the_switch(/*stops=*/true);
}

TEST_F(stream_with_a_switch_of_segments, that_does_not_stop_goes_on_with_the_rest) {
  expect_going_on_after_the_switch(/*stops=*/false);
}

TEST_F(stream, goes_on_after_an_error_of_the_disk_only_when_it_was_opened_again) {
  auto store = open();
  const lsn from = must(store->begin_stream());
  must(store->append(from, piece(from, from + 100'000)));
  files_.fail_at(files_.operations(), testing::memory_file_system::fault::io_error);
  ASSERT_FALSE(store->freeze());
  const lsn durable = store->durable();
  EXPECT_LT(durable, store->end());
  const auto again = store->begin_stream();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, errc::io);
  // The next sync finds nothing to do, which makes nothing durable.
  const auto frozen = store->freeze();
  ASSERT_FALSE(frozen);
  EXPECT_EQ(frozen.error().code, errc::io);
  EXPECT_EQ(store->durable(), durable);
  store.reset();
  store = open();
  const lsn on = must(store->begin_stream());
  EXPECT_GE(on, durable);
  must(store->append(on, piece(on, wal().end)));
  EXPECT_EQ(store->end(), wal().end);
}

TEST_F(stream, whose_refused_wal_cannot_be_removed_goes_on_only_when_it_was_opened_again) {
  bool was_seen = false;
  for (uint64_t operation = 0; operation < 8; ++operation) {
    SCOPED_TRACE(operation);
    auto store = open();
    const lsn from = must(store->begin_stream());
    bytes data = piece(from, from + 100'000);
    for (size_t at = 50'000; at < 60'000; ++at) data[at] ^= std::byte{4};
    files_.fail_at(files_.operations() + operation, testing::memory_file_system::fault::io_error);
    const auto appended = store->append(from, data);
    ASSERT_FALSE(appended);
    const auto again = store->begin_stream();
    if (appended.error().code == errc::corrupt && !again) {
      was_seen = true;
      EXPECT_EQ(again.error().code, errc::io);
      EXPECT_FALSE(store->begin_stream());
      EXPECT_FALSE(store->sync());
    }
    store.reset();
    files_.power_cut();
    store = open();
    EXPECT_LE(store->end(), from + 50'000);
  }
  EXPECT_TRUE(was_seen);
  auto store = open();
  const lsn from = must(store->begin_stream());
  must(store->append(from, piece(from, wal().end)));
  EXPECT_EQ(store->end(), wal().end);
}

TEST_F(stream, that_repeats_is_refused_whether_it_says_the_same_again_or_not) {
  auto store = open();
  const lsn from = must(store->begin_stream());
  const lsn until = segment(1) + 3000;
  must(store->append(from, piece(from, until)));
  const lsn whole = store->end();
  bytes same = piece(until - 2000, until + 1000);
  const std::string both = fmt::format("WAL came from {}, expected it from {}",
                                       to_string(until - 2000), to_string(until));
  expect_refused(store->append(until - 2000, same), errc::invalid_argument,
                 both + ": it repeats what came before");
  EXPECT_EQ(store->end(), whole);

  EXPECT_EQ(*store->begin_stream(), whole);
  must(store->append(whole, piece(whole, until)));
  same[700] ^= std::byte{0x10};
  expect_refused(
      store->append(until - 2000, same), errc::conflict,
      both + ": it repeats what came before with other bytes, at " + to_string(until - 1300));
  expect_readable_and_going_on(std::move(store), whole);
}

TEST_F(stream, that_jumps_is_refused) {
  auto store = open();
  const lsn from = must(store->begin_stream());
  const lsn until = segment(0) + segment_bytes() / 2;
  must(store->append(from, piece(from, until)));
  const lsn whole = store->end();
  expect_refused(store->append(until + 8192, piece(until + 8192, wal().end)),
                 errc::invalid_argument,
                 fmt::format("WAL came from {}, expected it from {}: 8192 bytes are left out",
                             to_string(until + 8192), to_string(until)));
  expect_readable_and_going_on(std::move(store), whole);
}

TEST_F(stream, whose_pages_belong_to_something_else_is_refused_with_what_was_expected_and_found) {
  struct wrong {
    size_t offset;  ///< in the page's header (xlog_internal.h, XLogLongPageHeaderData)
    uint64_t value;
    size_t size_bytes;
    std::string words;
  };
  const lsn page = segment(1);
  const auto is = [](auto expected, auto found) {
    return fmt::format("expected {}, found {}", expected, found);
  };
  const wrong all[] = {
      {24, 12345, 8, "system identifier: " + is(to_string(wal().identity.system), 12345)},
      {32, 16 << 20, 4, "segment size: " + is(segment_bytes(), 16 << 20)},
      {36, 4096, 4, "page size: " + is(8192, 4096)},
      {8, page.value() + 8192, 8, "address: " + is(to_string(page), to_string(page + 8192))},
      {4, 7, 4, "pg_timeline: " + is(1, 7)},
      {0, 0xD10D, 2, "magic number: " + is("D110", "D10D")},
  };
  auto store = open();
  for (const wrong& one : all) {
    SCOPED_TRACE(one.words);
    const lsn from = must(store->begin_stream());
    bytes data = piece(from, wal().end);
    std::memcpy(data.data() + (page - from) + one.offset, &one.value, one.size_bytes);
    expect_refused(store->append(from, data), errc::corrupt,
                   fmt::format("WAL page at {}: {}", to_string(page), one.words));
    EXPECT_LE(store->end(), page);
    EXPECT_EQ(open()->end(), store->end());
  }
  const lsn end = store->end();
  expect_readable_and_going_on(std::move(store), end);
}

TEST_F(stream, that_is_damaged_inside_is_refused_there) {
  auto store = open();
  std::mt19937_64 random(2);
  for (int round = 0; round < 20; ++round) {
    const lsn from = must(store->begin_stream());
    const lsn until = std::min(from + 700'000, wal().end);
    if (from == until) break;
    bytes data = piece(from, until);
    const size_t at = random() % data.size();
    data[at] ^= std::byte{4};
    const auto appended = store->append(from, data);
    // Between records, and after a switch of segments, bytes mean nothing.
    if (appended) continue;
    EXPECT_EQ(appended.error().code, errc::corrupt);
    EXPECT_NE(appended.error().message.find(" at 0/"), std::string::npos);
    EXPECT_LE(store->end(), from + at);
    EXPECT_EQ(open()->end(), store->end());
  }
  const lsn end = must(store->begin_stream());
  expect_readable_and_going_on(std::move(store), end);
}

TEST_F(stream, of_a_pg_timeline_that_was_left_is_refused) {
  auto store = open();
  const lsn from = must(store->begin_stream());
  must(store->append(from, piece(from, segment(1) + 3000)));
  const lsn left = store->end();
  must(store->sync());
  metadata_.pg_timelines.push_back({pg_timeline{2}, left});
  must(store->switch_pg_timeline(metadata_));
  EXPECT_EQ(*store->begin_stream(), left);
  // The page in which the new one begins is still the old one's.
  const lsn page = pg::wal_page_start(left) + 8192;
  expect_refused(store->append(left, piece(left, wal().end)), errc::corrupt,
                 fmt::format("WAL page at {}: pg_timeline: expected 2, found 1", to_string(page)));
  EXPECT_GE(store->end(), left);
  EXPECT_LE(store->end(), page);
  EXPECT_EQ(open()->end(), store->end());
}

}  // namespace
}  // namespace zenith::repository
