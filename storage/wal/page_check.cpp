// Checks of WAL page headers, in the order in which PostgreSQL makes them.
#include "storage/wal/page_check.hpp"

#include <fmt/format.h>

namespace zenith::wal {

result<void> check_page_header(byte_view header, lsn at, const wal_identity& identity,
                               uint32_t least_timeline) {
  const auto wrong = [&](std::string_view what, const std::string& expected,
                         const std::string& found) {
    return fail(errc::corrupt, fmt::format("WAL page at {}: {}: expected {}, found {}",
                                           to_string(at), what, expected, found));
  };
  const auto short_part = load<pg::wal_page_header>(header.data());
  if (short_part.magic != pg::wal_page_magic)
    return wrong("magic number", fmt::format("{:04X}", pg::wal_page_magic),
                 fmt::format("{:04X}", short_part.magic));
  if ((short_part.info & ~pg::wal_page_all_flags) != 0)
    return wrong("flags", "none but 000F", fmt::format("{:04X}", short_part.info));
  if (short_part.is_long()) {
    const auto full = load<pg::wal_long_page_header>(header.data());
    if (full.system != static_cast<uint64_t>(identity.system))
      return wrong("system identifier", to_string(identity.system), std::to_string(full.system));
    if (full.segment_size_bytes != identity.segment_size_bytes)
      return wrong("segment size", std::to_string(identity.segment_size_bytes),
                   std::to_string(full.segment_size_bytes));
    if (full.page_size_bytes != page_size_bytes)
      return wrong("page size", std::to_string(page_size_bytes),
                   std::to_string(full.page_size_bytes));
  } else if (pg::segment_start(at, identity.segment_size_bytes) == at) {
    return wrong("flags of a segment's first page", "a long header",
                 fmt::format("{:04X}", short_part.info));
  }
  if (short_part.address != at.value())
    return wrong("address", to_string(at), to_string(lsn{short_part.address}));
  if (short_part.timeline < least_timeline)
    return wrong("pg_timeline", fmt::format("{} or more", least_timeline),
                 std::to_string(short_part.timeline));
  return {};
}

}  // namespace zenith::wal
