// Opening segment files, finding the end in them, and reading.
#include <fmt/format.h>

#include <algorithm>

#include "storage/postgres/wal_page.hpp"
#include "storage/wal/page_check.hpp"
#include "storage/wal/removed_wal.hpp"
#include "storage/wal/segments.hpp"
#include "storage/wal/stored_wal.hpp"

namespace zenith::wal {
namespace {

constexpr size_t chunk_bytes = size_t{1} << 20;
constexpr size_t open_files_max = 4;

}  // namespace

wal_directory::wal_directory(parameters how) : how_(std::move(how)) {}

path wal_directory::path_of(const file_id& id) const {
  return how_.directory /
         pg::segment_file_name(id.number, id.segment, how_.identity.segment_size_bytes);
}

result<std::unique_ptr<wal_directory>> wal_directory::open(parameters how) {
  if (!pg::is_valid_segment_size(how.identity.segment_size_bytes))
    return fail(errc::invalid_argument, fmt::format("{} bytes is no size of a WAL segment",
                                                    how.identity.segment_size_bytes));
  if (!how.start.is_valid() || how.history.empty())
    return fail(errc::invalid_argument, fmt::format("the WAL in {} has no start or no pg_timeline",
                                                    how.directory.string()));
  if (!how.scan_from.is_valid()) {
    how.scan_from = how.start;
    how.scan_previous = how.previous;
  }
  std::unique_ptr<wal_directory> opened(new wal_directory(std::move(how)));
  ZENITH_TRY(opened->list_files());
  ZENITH_TRY(opened->remove_leftovers());
  ZENITH_TRY_ASSIGN(opened->opened_, opened->find_end());
  ZENITH_TRY(opened->make_end_durable(opened->opened_.end));
  opened->end_ = opened->durable_ = opened->opened_.end.value();
  return opened;
}

result<void> wal_directory::list_files() {
  auto entries = how_.files->list(how_.directory);
  if (!entries && entries.error().code == errc::not_found) return {};
  if (!entries) return tl::unexpected<error>(entries.error());
  for (const directory_entry& entry : *entries) {
    const auto name = pg::parse_segment_file_name(entry.name, how_.identity.segment_size_bytes);
    if (name && !entry.is_directory) present_.insert({name->number, name->timeline});
    // A segment that was not whole when the process ended, or such a note of what was removed.
    if (!entry.is_directory && (entry.name.ends_with(temporary_ending) ||
                                entry.name == std::string(removed_file_name) + "~"))
      ZENITH_TRY(how_.files->remove(how_.directory / entry.name));
  }
  return {};
}

// What was on record as removed and still was there when the process ended.
result<void> wal_directory::remove_leftovers() {
  ZENITH_TRY_ASSIGN(const lsn removed, read_removed(*how_.files, how_.directory));
  if (removed > how_.scan_from)
    return fail(errc::corrupt,
                fmt::format("{} says that WAL was removed up to {}, and what comes from {} on is "
                            "needed",
                            (how_.directory / removed_file_name).string(), to_string(removed),
                            to_string(how_.scan_from)));
  removed_ = removed.value();
  return remove_files(files_before(removed));
}

result<found_end> wal_directory::find_end() const {
  decoder decode(how_.identity, how_.scan_from, how_.scan_previous, how_.history);
  found_end found{how_.scan_from, how_.scan_previous, {}};
  bytes chunk;
  bool failed = false;
  for (lsn at = how_.scan_from; !failed;) {
    ZENITH_TRY_ASSIGN(const file_part part, find_file(segment_of(at)));
    if (part.file == nullptr || at >= part.until) break;
    chunk.resize(std::min<uint64_t>(chunk_bytes, part.until - at));
    ZENITH_TRY(part.file->read(offset_of(at), chunk));
    ZENITH_TRY(decode.feed(at, chunk));
    at = at + chunk.size();
    auto next = decode.next();
    while (next && *next) next = decode.next();
    failed = !next;
    if (failed && !decode.failed_at_zeros()) found.torn = next.error().message;
  }
  found.end = decode.position();
  found.last_record = decode.last_record();
  if (!failed && decode.fed_until() > found.end)
    found.torn = fmt::format("the record at {} is incomplete", to_string(found.end));
  ZENITH_TRY(check_damage(found, decode.reached()));
  return found;
}

// Tells what a crash can do to the end of the WAL from damage before it.
result<void> wal_directory::check_damage(const found_end& found, lsn reached) const {
  const auto damaged = [&](const std::string& contradiction) {
    return fail(errc::corrupt,
                fmt::format("the WAL in {} is damaged: {}, but {}{}{}", how_.directory.string(),
                            fmt::format("whole records end at {}", to_string(found.end)),
                            contradiction, found.torn.empty() ? "" : "; ", found.torn));
  };
  const timeline_switch& newest = how_.history.back();
  const lsn durable = std::max(how_.known_durable, newest.start);
  if (found.end < durable)
    return damaged(fmt::format("they were durable up to {}", to_string(durable)));
  ZENITH_TRY_ASSIGN(const file_part later, find_file(segment_of(reached) + 1));
  if (later.file == nullptr) return {};
  std::array<std::byte, pg::long_page_header_size_bytes> header;
  ZENITH_TRY(later.file->read(0, header));
  const lsn start = start_of(segment_of(reached) + 1);
  if (!check_page_header(header, start, how_.identity, 0)) return {};
  return damaged(fmt::format("there is WAL in the segment at {}", to_string(start)));
}

// What was found may be in memory only, where the process ended and the machine did not. After a
// sync that failed Linux takes what it could not write for written, and the next one says that all
// is well: only what is written again is made durable by it.
result<void> wal_directory::make_end_durable(lsn end) {
  if (present_.empty()) return {};
  if (end > how_.start) {
    ZENITH_TRY_ASSIGN(const file_part last, find_file(segment_of(end - 1)));
    if (last.file != nullptr) {
      bytes chunk;
      lsn at = std::max({start_of(segment_of(end - 1)), how_.start, how_.known_durable});
      for (; at < end; at = at + chunk.size()) {
        chunk.resize(std::min<uint64_t>(chunk_bytes, end - at));
        ZENITH_TRY(last.file->read(offset_of(at), chunk));
        ZENITH_TRY(last.file->write(offset_of(at), chunk));
      }
      ZENITH_TRY(last.file->sync());
    }
  }
  return how_.files->sync_directory(how_.directory);
}

// The first candidate whose file is there. It lacks what a newer one without a file would have
// changed.
result<wal_directory::file_part> wal_directory::find_file(uint64_t segment) const {
  const std::lock_guard lock(mutex_);
  const lsn start = start_of(segment);
  lsn least = start_of(segment + 1);
  for (const segment_candidate& one : segment_candidates(how_.history, start, least)) {
    least = one.until;
    const file_id id{segment, one.number};
    if (!present_.contains(id)) continue;
    ZENITH_TRY_ASSIGN(file_pointer found, opened(id));
    return file_part{std::move(found), one.until};
  }
  return file_part{nullptr, least};
}

result<wal_directory::file_pointer> wal_directory::opened(const file_id& id) const {
  if (const auto at = open_files_.find(id); at != open_files_.end()) return at->second;
  // Those that are in use live on with their users.
  if (open_files_.size() >= open_files_max) open_files_.erase(open_files_.begin());
  ZENITH_TRY_ASSIGN(file_pointer fresh, how_.files->open(path_of(id), open_mode::write));
  open_files_[id] = fresh;
  return fresh;
}

result<void> wal_directory::read(lsn at, byte_span into) const {
  if (at >= how_.start && at < begin()) return was_removed(how_.directory, at, begin());
  if (at < begin() || at > end() || into.size() > end() - at)
    return fail(
        errc::out_of_range,
        fmt::format("no WAL at {} for {} bytes in {}: it holds {} to {}", to_string(at),
                    into.size(), how_.directory.string(), to_string(begin()), to_string(end())));
  return read_files(at, into);
}

result<void> wal_directory::read_files(lsn at, byte_span into) const {
  while (!into.empty()) {
    ZENITH_TRY_ASSIGN(const file_part part, find_file(segment_of(at)));
    if (part.file == nullptr || at >= part.until)
      return fail(errc::corrupt,
                  fmt::format("the WAL segment that holds {} is missing: {}", to_string(at),
                              path_of({segment_of(at), how_.history.back().number}).string()));
    const size_t here = std::min<uint64_t>(into.size(), part.until - at);
    ZENITH_TRY(part.file->read(offset_of(at), into.first(here)));
    into = into.subspan(here);
    at = at + here;
  }
  return {};
}

}  // namespace zenith::wal
