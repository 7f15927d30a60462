// Finding the file of each segment when it is read.
#include "storage/wal/stored_wal.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/postgres/wal_page.hpp"
#include "storage/wal/removed_wal.hpp"

namespace zenith::wal {

std::vector<segment_candidate> segment_candidates(const std::vector<timeline_switch>& history,
                                                  lsn segment_start, lsn segment_end) {
  std::vector<segment_candidate> found;
  lsn until = segment_end;
  for (auto entry = history.rbegin(); entry != history.rend() && until > segment_start; ++entry) {
    if (entry->start >= until) continue;
    found.push_back({entry->number, until});
    until = entry->start;
  }
  return found;
}

result<void> stored_wal::read(lsn at, byte_span into) const {
  if (at > end() || into.size() > end() - at)
    return fail(errc::out_of_range, fmt::format("no WAL at {} for {} bytes: it ends at {}",
                                                to_string(at), into.size(), to_string(end())));
  if (at < how_.begin && how_.before) {
    const size_t early = std::min<uint64_t>(into.size(), how_.begin - at);
    ZENITH_TRY(how_.before->read(at, into.first(early)));
    into = into.subspan(early);
    at = at + early;
  }
  if (into.empty()) return {};
  if (at < how_.begin)
    return fail(errc::out_of_range, fmt::format("no WAL at {}: it is kept from {}", to_string(at),
                                                to_string(how_.begin)));
  return read_own(at, into);
}

result<void> stored_wal::read_own(lsn at, byte_span into) const {
  while (!into.empty()) {
    const uint64_t number = at.value() / how_.segment_size_bytes;
    const lsn start{number * how_.segment_size_bytes};
    std::unique_ptr<file> segment;
    lsn until = start + how_.segment_size_bytes;
    path name;
    for (const segment_candidate& one : segment_candidates(how_.history, start, until)) {
      name = how_.directory / pg::segment_file_name(one.number, number, how_.segment_size_bytes);
      auto opened = how_.files->open(name, open_mode::read);
      if (!opened && opened.error().code != errc::not_found) return tl::unexpected(opened.error());
      if (!opened) continue;
      segment = std::move(*opened);
      until = one.until;
      break;
    }
    if (segment == nullptr) {
      ZENITH_TRY_ASSIGN(const lsn removed, read_removed(*how_.files, how_.directory));
      if (at < removed) return was_removed(how_.directory, at, removed);
    }
    if (segment == nullptr || at >= until)
      return fail(
          errc::not_found,
          fmt::format("the WAL segment that holds {} is not kept: {}", to_string(at),
                      (how_.directory / pg::segment_file_name(how_.history.back().number, number,
                                                              how_.segment_size_bytes))
                          .string()));
    const size_t here = std::min<uint64_t>(into.size(), until - at);
    ZENITH_TRY(segment->read(at - start, into.first(here)));
    into = into.subspan(here);
    at = at + here;
  }
  return {};
}

}  // namespace zenith::wal
