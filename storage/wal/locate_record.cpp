// Finding the record at an LSN: back over pages to one in which a record starts, then forward.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/postgres/wal_page.hpp"
#include "storage/wal/page_check.hpp"
#include "storage/wal/wal_source.hpp"

namespace zenith::wal {
namespace {

constexpr uint64_t chunk_bytes = 2 * page_size_bytes;

// Where decoding can start before `at`, and where it feeds from.
struct starting_point {
  lsn start;
  lsn feed_from;
};

// The start of the first record on a page that starts one before `at`; the page's end or later
// where it starts none. None for a page of zeros: the rest of a segment that was switched away.
result<std::optional<lsn>> first_record_of(const wal_source& source, const wal_identity& identity,
                                           lsn page) {
  std::array<std::byte, pg::long_page_header_size_bytes> encoded{};
  const size_t size = std::min<uint64_t>(encoded.size(), source.end() - page);
  if (size < pg::short_page_header_size_bytes) return page + page_size_bytes;
  ZENITH_TRY(source.read(page, byte_span{encoded}.first(size)));
  if (std::ranges::all_of(encoded, [](std::byte b) { return b == std::byte{0}; }))
    return std::nullopt;
  const auto header = load<pg::wal_page_header>(encoded.data());
  if (header.size_bytes() > size) return page + page_size_bytes;
  ZENITH_TRY(check_page_header(encoded, page, identity, 0));
  const lsn content = page + header.size_bytes();
  if ((header.info & pg::wal_page_first_is_contrecord) == 0) return content;
  return (content + header.remaining_bytes).aligned();
}

result<starting_point> find_start(const wal_source& source, const wal_identity& identity, lsn at) {
  for (lsn page = pg::wal_page_start(at - 1);; page = page - page_size_bytes) {
    if (page < source.begin() || !page.is_valid()) break;
    ZENITH_TRY_ASSIGN(const std::optional<lsn> first, first_record_of(source, identity, page));
    if (first && *first < at && *first < page + page_size_bytes)
      return starting_point{*first, page};
  }
  // What is kept begins with a record, unless it begins with the rest of one.
  const lsn begin = source.begin();
  const lsn page = pg::wal_page_start(begin);
  if (begin < at && begin != page) return starting_point{begin, begin};
  return fail(errc::out_of_range,
              fmt::format("the WAL record at {} begins before {}, from where on WAL is kept",
                          to_string(at), to_string(begin)));
}

}  // namespace

result<record_place> locate_record(const wal_source& source, const wal_identity& identity, lsn at) {
  if (at <= source.begin())
    return fail(errc::out_of_range, fmt::format("the WAL before {} is not kept; it begins at {}",
                                                to_string(at), to_string(source.begin())));
  // What ends at a page's end ends before the next page's header, too.
  const lsn page = pg::wal_page_start(at);
  const bool in_header = at - page <= pg::page_header_size_bytes(page, identity.segment_size_bytes);
  const auto not_whole = [&] {
    return fail(errc::not_arrived, fmt::format("the WAL record at {} is not whole yet: WAL ends at "
                                               "{}",
                                               to_string(at), to_string(source.end())));
  };
  if (at > source.end()) return not_whole();
  ZENITH_TRY_ASSIGN(const starting_point from, find_start(source, identity, at));

  decoder decode(identity, from.start, lsn{});
  bytes chunk;
  for (lsn next = from.feed_from; next < source.end(); next = next + chunk.size()) {
    chunk.resize(std::min<uint64_t>(chunk_bytes, source.end() - next));
    ZENITH_TRY(source.read(next, chunk));
    ZENITH_TRY(decode.feed(next, chunk));
    for (;;) {
      ZENITH_TRY_ASSIGN(const std::optional<raw_record> record, decode.next());
      if (!record) break;
      if (record->end >= at || (in_header && record->end == page))
        return record_place{record->start, record->end,
                            lsn{load<pg::wal_record_header>(record->bytes.data()).previous}};
    }
  }
  return not_whole();
}

}  // namespace zenith::wal
