// The decoder as a machine of small steps, each of which takes only bytes that are there.
// Source of the rules: xlogreader.c, XLogDecodeNextRecord, ValidXLogRecordHeader, ValidXLogRecord.
#include "storage/wal/decoder.hpp"

#include <fmt/format.h>

#include "storage/wal/page_check.hpp"

namespace zenith::wal {

using pg::record_header_size_bytes;

namespace {
// More than that is not held while nothing is fed: of a thousand decoders most wait.
constexpr size_t kept_bytes_max = 32 << 10;
}  // namespace

decoder::decoder(wal_identity identity, lsn start, lsn previous,
                 std::vector<timeline_switch> history)
    : identity_(identity),
      history_(std::move(history)),
      start_(start),
      position_(start),
      last_record_(previous),
      fed_until_(start),
      cursor_(start),
      buffer_start_(start) {
  // With a start far below the end of all LSNs, no arithmetic on what is fed can overflow.
  if (start != start.aligned() || !start.is_valid() || start.value() >> 63 != 0)
    failure_ = error{
        errc::invalid_argument,
        fmt::format("WAL cannot be decoded from {}: no record starts there", to_string(start))};
  if (!pg::is_valid_segment_size(identity.segment_size_bytes))
    failure_ = error{errc::invalid_argument,
                     fmt::format("{} bytes is no size of a WAL segment: it is a power of two from "
                                 "1 MiB to 1 GiB",
                                 identity.segment_size_bytes)};
}

lsn decoder::position() const { return position_; }
lsn decoder::last_record() const { return last_record_; }
lsn decoder::fed_until() const { return fed_until_; }

result<void> decoder::feed(lsn at, byte_view data) {
  if (failure_) return tl::unexpected<error>(*failure_);
  if (buffer_.empty() && place_ == place::first_page && fed_until_ == start_ &&
      at == pg::wal_page_start(start_)) {
    fed_until_ = buffer_start_ = cursor_ = at;
  }
  if (at != fed_until_)
    return fail(errc::invalid_argument, fmt::format("WAL fed at {} does not follow what ends at {}",
                                                    to_string(at), to_string(fed_until_)));
  // What is taken goes once it is the larger part, so that each byte moves once on average.
  if (const size_t taken = taken_bytes(); taken * 2 >= buffer_.size()) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(taken));
    buffer_start_ = buffer_start_ + taken;
  }
  buffer_.insert(buffer_.end(), data.begin(), data.end());
  fed_until_ = fed_until_ + data.size();
  return {};
}

size_t decoder::taken_bytes() const {
  return cursor_ > buffer_start_ ? std::min<size_t>(cursor_ - buffer_start_, buffer_.size()) : 0;
}

void decoder::release_taken() {
  if (const size_t taken = taken_bytes();
      buffer_.capacity() > kept_bytes_max && taken * 2 >= buffer_.size()) {
    bytes rest(buffer_.begin() + static_cast<ptrdiff_t>(taken), buffer_.end());
    buffer_.swap(rest);
    buffer_start_ = buffer_start_ + taken;
  }
  if (place_ != place::inside_record && assembled_.capacity() > kept_bytes_max)
    bytes().swap(assembled_);
}

result<std::optional<raw_record>> decoder::next() {
  if (failure_) return tl::unexpected<error>(*failure_);
  for (;;) {
    step done = step::again;
    switch (place_) {
      case place::first_page:
        done = enter_first_page();
        break;
      case place::record_start:
        done = begin_record();
        break;
      case place::inside_record:
        done = take_part();
        break;
    }
    if (done == step::wait) {
      release_taken();
      return std::nullopt;
    }
    if (done == step::ready) return ready_;
    if (done == step::failed) return tl::unexpected<error>(*failure_);
  }
}

decoder::step decoder::fail_here(std::string message, byte_view zeros_from) {
  failure_ = error{errc::corrupt, std::move(message)};
  failed_at_zeros_ = !zeros_from.empty() &&
                     std::ranges::all_of(zeros_from, [](std::byte b) { return b == std::byte{0}; });
  return step::failed;
}

// The cursor is at a page's start: checks the page's header, keeps it in page_, moves past it.
decoder::step decoder::enter_page() {
  if (available() < pg::short_page_header_size_bytes) return step::wait;
  const auto header = load<pg::wal_page_header>(at_cursor());
  const size_t size = header.size_bytes();
  if (header.magic == pg::wal_page_magic && available() < size) return step::wait;
  const byte_view encoded{at_cursor(), std::min(available(), size)};
  if (auto good = check_page_header(encoded, cursor_, identity_, least_timeline_); !good)
    return fail_here(std::move(good).error().message,
                     encoded.first(pg::short_page_header_size_bytes));
  if (auto good = check_timeline(header.timeline); !good)
    return fail_here(std::move(good).error().message, {});
  page_ = header;
  least_timeline_ = header.timeline;
  cursor_ = cursor_ + size;
  return step::again;
}

// A pg_timeline that begins inside a page leaves the page's header as it was: a promoted server
// copies the segment up to there (xlog.c, XLogInitNewTimeline).
result<void> decoder::check_timeline(uint32_t found) const {
  std::optional<uint32_t> expected;
  for (const timeline_switch& one : history_)
    if (one.start <= cursor_) expected = static_cast<uint32_t>(one.number);
  if (!expected || *expected == found) return {};
  return fail(errc::corrupt, fmt::format("WAL page at {}: pg_timeline: expected {}, found {}",
                                         to_string(cursor_), *expected, found));
}

// Feeding began at the page's start, and the first record may lie further on in the page.
decoder::step decoder::enter_first_page() {
  if (available() == 0) return step::wait;
  if (pg::wal_page_start(start_) == start_ || cursor_ == start_) {
    place_ = place::record_start;
    return step::again;
  }
  if (const step done = enter_page(); done != step::again) return done;
  if (start_ < cursor_)
    return fail_here(fmt::format("WAL cannot be decoded from {}: it lies in its page's header, "
                                 "which ends at {}",
                                 to_string(start_), to_string(cursor_)),
                     {});
  if (start_ == cursor_ && (page_.info & pg::wal_page_first_is_contrecord) != 0)
    return fail_here(fmt::format("WAL cannot be decoded from {}: a record that began on an earlier "
                                 "page goes on there",
                                 to_string(start_)),
                     {});
  cursor_ = start_;
  place_ = place::record_start;
  return step::again;
}

// The cursor is where a record may begin, perhaps at a page's start.
decoder::step decoder::begin_record() {
  if (cursor_ >= fed_until_) return step::wait;
  if (pg::wal_page_start(cursor_) == cursor_) {
    const lsn page_start = cursor_;
    if (const step done = enter_page(); done != step::again) return done;
    if ((page_.info & pg::wal_page_first_is_contrecord) != 0) {
      cursor_ = page_start;
      return fail_here(fmt::format("WAL page at {}: it goes on with {} bytes of a record, but the "
                                   "last one ended before it",
                                   to_string(page_start), page_.remaining_bytes),
                       {});
    }
    // From here on the cursor is past the header, should this step have to wait.
  }
  const size_t left_in_page = page_size_bytes - cursor_.value() % page_size_bytes;
  const size_t header_here = std::min(left_in_page, record_header_size_bytes);
  if (available() < header_here) return step::wait;

  record_start_ = cursor_;
  total_ = load<uint32_t>(at_cursor());
  header_checked_ = false;
  if (header_here == record_header_size_bytes) {
    if (const step done = check_header(at_cursor()); done != step::again) return done;
  } else if (total_ < record_header_size_bytes) {
    return fail_here(fmt::format("WAL record at {}: length: expected {} or more, found {}",
                                 to_string(cursor_), record_header_size_bytes, total_),
                     {at_cursor(), header_here});
  }
  if (total_ <= left_in_page) {
    if (available() < total_) return step::wait;
    const byte_view whole{at_cursor(), total_};
    return finish_record(whole, (cursor_ + total_).aligned());
  }
  assembled_.clear();
  place_ = place::inside_record;
  return step::again;
}

// The record in hand crosses pages: takes what is there of it on the cursor's page.
decoder::step decoder::take_part() {
  if (pg::wal_page_start(cursor_) == cursor_ && !assembled_.empty()) {
    const lsn page_start = cursor_;
    if (const step done = enter_page(); done != step::again) return done;
    if ((page_.info & pg::wal_page_first_is_overwrite_contrecord) != 0) {
      cursor_ = page_start;
      return drop_overwritten();
    }
    const size_t rest = total_ - assembled_.size();
    if ((page_.info & pg::wal_page_first_is_contrecord) == 0 || page_.remaining_bytes != rest) {
      const bool flag = (page_.info & pg::wal_page_first_is_contrecord) != 0;
      return fail_here(
          fmt::format("WAL page at {}: expected the last {} bytes of the record at {}, found {}",
                      to_string(page_start), rest, to_string(record_start_),
                      flag ? fmt::format("the last {} bytes of one", page_.remaining_bytes)
                           : "the start of another"),
          {});
    }
  }
  const size_t left_in_page = page_size_bytes - cursor_.value() % page_size_bytes;
  const size_t part = std::min({available(), left_in_page, total_ - assembled_.size()});
  if (part == 0) return step::wait;
  assembled_.insert(assembled_.end(), at_cursor(), at_cursor() + part);
  cursor_ = cursor_ + part;
  if (!header_checked_ && assembled_.size() >= record_header_size_bytes)
    if (const step done = check_header(assembled_.data()); done != step::again) return done;
  if (assembled_.size() < total_) return step::again;
  return finish_record(assembled_, cursor_.aligned());
}

// Before its CRC can be known: enough to not wait for the length of a record that is none.
decoder::step decoder::check_header(const std::byte* at) {
  const auto header = load<pg::wal_record_header>(at);
  const auto wrong = [&](std::string_view what, const std::string& expected,
                         const std::string& found) {
    return fail_here(fmt::format("WAL record at {}: {}: expected {}, found {}",
                                 to_string(record_start_), what, expected, found),
                     {at, record_header_size_bytes});
  };
  if (header.total_length_bytes < record_header_size_bytes)
    return wrong("length", fmt::format("{} or more", record_header_size_bytes),
                 std::to_string(header.total_length_bytes));
  if (!header.has_known_rmgr())
    return wrong("resource manager", "one of PostgreSQL 15", std::to_string(header.rmgr));
  const lsn previous{header.previous};
  if (last_record_.is_valid() ? previous != last_record_ : previous >= record_start_)
    return wrong("back-link to the record before it",
                 last_record_.is_valid() ? to_string(last_record_) : "an earlier LSN",
                 to_string(previous));
  if (header.total_length_bytes > pg::max_record_size_bytes)
    return wrong("length", fmt::format("{} at most", pg::max_record_size_bytes),
                 std::to_string(header.total_length_bytes));
  header_checked_ = true;
  return step::again;
}

decoder::step decoder::finish_record(byte_view whole, lsn end) {
  const auto header = load<pg::wal_record_header>(whole.data());
  if (const uint32_t crc = pg::record_crc(whole); crc != header.crc)
    return fail_here(fmt::format("WAL record at {}: CRC-32C: expected {:08X}, found {:08X}",
                                 to_string(record_start_), crc, header.crc),
                     {});
  if (overwritten_.is_valid()) {
    // xlogrecovery.c, VerifyOverwriteContrecord: the record must name the one that it replaces. Its
    // data follows the header and a two-byte block-data header.
    constexpr size_t data_at = record_header_size_bytes + 2;
    const lsn named = header.is_overwrite_contrecord() && whole.size() >= data_at + 8
                          ? lsn{load<uint64_t>(whole.data() + data_at)}
                          : lsn{};
    if (named != overwritten_)
      return fail_here(
          fmt::format("WAL record at {}: it must replace the incomplete record at {}, "
                      "but names {}",
                      to_string(record_start_), to_string(overwritten_), to_string(named)),
          {});
    overwritten_ = lsn{};
  }
  if (header.is_switch()) {
    // The rest of the segment is no WAL (xlogreader.c, "Pretend it extends to end of segment").
    const uint64_t segment = identity_.segment_size_bytes;
    end = lsn{(end.value() + segment - 1) / segment * segment};
  }
  ready_ = raw_record{record_start_, end, whole};
  last_record_ = record_start_;
  position_ = cursor_ = end;
  place_ = place::record_start;
  return step::ready;
}

// The rest of the record in hand was lost, and another record stands where it went on.
decoder::step decoder::drop_overwritten() {
  overwritten_ = record_start_;
  assembled_.clear();
  place_ = place::record_start;
  return step::again;
}

}  // namespace zenith::wal
