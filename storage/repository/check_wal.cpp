// WAL segments: each record by its own checksum, and what follows a damaged one.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "storage/postgres/wal_page.hpp"
#include "storage/repository/check_parts.hpp"
#include "storage/wal/decoder.hpp"
#include "storage/wal/page_check.hpp"
#include "storage/wal/removed_wal.hpp"

namespace zenith::repository {
namespace {

constexpr uint64_t chunk_bytes = 1 << 20;
constexpr uint64_t sector_bytes = 512;

class wal_walk {
 public:
  wal_walk(check_findings& found, path folder, const timeline_metadata& timeline)
      : found_(found),
        folder_(std::move(folder)),
        timeline_(timeline),
        identity_{timeline.system, timeline.segment_size_bytes} {
    for (const pg_timeline_start& one : timeline.pg_timelines)
      history_.push_back({one.number, one.start});
  }

  void run(lsn durable, lsn in_files) {
    if (!pg::is_valid_segment_size(identity_.segment_size_bytes) || history_.empty()) return;
    read_removed();
    list_files();
    const lsn needed = std::max(in_files, timeline_.start);
    if (segments_.empty()) {
      if (durable > needed)
        found_.damaged(
            folder_, 0,
            fmt::format("there is no WAL from {} to {}", to_string(needed), to_string(durable)));
      return;
    }
    const lsn begin =
        std::max(removed_, timeline_.ancestor ? timeline_.start : timeline_.start_previous_record);
    lsn previous = timeline_.ancestor ? timeline_.start_previous_record : lsn{};
    std::optional<lsn> at = begin;
    if (const lsn first = start_of(*segments_.begin()); first > begin || removed_ == begin) {
      // What was removed because nobody needs it is told from what is lost by the note of it.
      if (first > begin && removed_.is_valid())
        found_.damaged(path_of(segment_of(begin)), 0, "it is missing, and was not removed");
      else if (first > needed)
        found_.damaged(path_of(segment_of(needed)), 0, "it is missing, and WAL follows it");
      at = next_record(first);
      previous = {};
    }
    while (at) at = walk(*at, std::exchange(previous, lsn{}), durable);
  }

 private:
  uint64_t segment_of(lsn at) const { return at.value() / identity_.segment_size_bytes; }
  lsn start_of(uint64_t segment) const { return lsn{segment * identity_.segment_size_bytes}; }
  uint64_t offset_of(lsn at) const { return at.value() % identity_.segment_size_bytes; }

  void read_removed() {
    const path name = folder_ / wal::removed_file_name;
    if (!found_.open(name)) return;
    if (const auto read = wal::read_removed(found_.files(), folder_))
      removed_ = *read;
    else
      found_.damaged(name, 0, read.error().message);
  }

  void list_files() {
    const auto entries = found_.files().list(folder_);
    if (!entries) {
      if (entries.error().code != errc::not_found)
        found_.damaged(folder_, 0, entries.error().message);
      return;
    }
    for (const directory_entry& entry : *entries) {
      if (entry.name == wal::removed_file_name) continue;
      const auto name = pg::parse_segment_file_name(entry.name, identity_.segment_size_bytes);
      // A segment that was to be removed when the process ended is no damage either.
      if (!name || entry.is_directory || start_of(name->number) < removed_) {
        found_.unreferenced(folder_ / entry.name);
        continue;
      }
      const auto opened = found_.open(folder_ / entry.name);
      if (!opened) continue;
      const auto size = opened->size_bytes();
      if (!size || *size != identity_.segment_size_bytes)
        found_.damaged(folder_ / entry.name, size.value_or(0),
                       fmt::format("it has {} bytes, a segment has {}", size.value_or(0),
                                   identity_.segment_size_bytes));
      else
        segments_.insert(name->number), present_.insert({name->number, name->timeline});
    }
  }

  /// The file that holds a segment's bytes: of the newest pg_timeline that has some in it.
  path path_of(uint64_t segment) const {
    for (auto entry = history_.rbegin(); entry != history_.rend(); ++entry)
      if (entry->start < start_of(segment + 1) && present_.contains({segment, entry->number}))
        return folder_ /
               pg::segment_file_name(entry->number, segment, identity_.segment_size_bytes);
    return folder_ /
           pg::segment_file_name(history_.back().number, segment, identity_.segment_size_bytes);
  }

  bool read(lsn at, byte_span into) {
    if (!open_ || open_segment_ != segment_of(at)) {
      open_.reset();
      if (!segments_.contains(segment_of(at))) return false;
      auto opened = found_.files().open(path_of(segment_of(at)), open_mode::read);
      if (!opened) return false;
      open_ = std::move(*opened);
      open_segment_ = segment_of(at);
    }
    return open_->read(offset_of(at), into).has_value();
  }

  /// Decodes from one record on. Gives where WAL goes on behind what is damaged, if it does.
  std::optional<lsn> walk(lsn from, lsn previous, lsn durable) {
    wal::decoder decode(identity_, from, previous, history_);
    std::string problem;
    bytes chunk;
    for (lsn at = from; problem.empty();) {
      chunk.resize(std::min(chunk_bytes, identity_.segment_size_bytes - offset_of(at)));
      if (!read(at, chunk)) break;
      if (const auto fed = decode.feed(at, chunk); !fed) problem = fed.error().message;
      at = at + chunk.size();
      auto next = decode.next();
      while (next && *next) next = decode.next();
      if (!next) problem = next.error().message;
    }
    const lsn end = decode.position();
    const auto later =
        next_record(pg::wal_page_start(std::max(decode.reached(), end)) + page_size_bytes);
    const bool is_last_segment =
        !later || segment_of(std::max(decode.reached(), end)) == segment_of(*later);
    if (end >= durable && is_last_segment && (!later || lost_by_crash(end, *later)))
      return std::nullopt;
    if (problem.empty()) problem = fmt::format("the record at {} is not whole", to_string(end));
    const lsn place =
        decode.reached() > end && decode.reached() == pg::wal_page_start(decode.reached())
            ? decode.reached()
            : end;
    if (segments_.contains(segment_of(place)))
      found_.damaged(path_of(segment_of(place)), offset_of(place), problem);
    else
      found_.damaged(path_of(segment_of(place)), 0, "it is missing, and is needed");
    return later;
  }

  /// Where the first whole record behind a place begins, by the headers of pages from there on.
  std::optional<lsn> next_record(lsn page) {
    std::array<std::byte, pg::long_page_header_size_bytes> encoded{};
    for (; segment_of(page) <= *segments_.rbegin(); page = page + page_size_bytes) {
      if (!read(page, encoded) || !wal::check_page_header(encoded, page, identity_, 0)) continue;
      const auto header = load<pg::wal_page_header>(encoded.data());
      lsn record = page + header.size_bytes();
      if ((header.info & pg::wal_page_first_is_contrecord) != 0)
        record = (record + header.remaining_bytes).aligned();
      if (record - page < page_size_bytes && is_record(record)) return record;
    }
    return std::nullopt;
  }

  bool is_record(lsn at) {
    wal::decoder decode(identity_, at, {}, history_);
    bytes chunk;
    for (lsn from = pg::wal_page_start(at);;) {
      chunk.resize(page_size_bytes);
      if (!read(from, chunk) || !decode.feed(from, chunk)) return false;
      const auto next = decode.next();
      if (!next || *next) return next.has_value();
      from = from + chunk.size();
    }
  }

  /// A crash takes whole sectors, and leaves the zeros that a segment is made of; of the last one
  /// only, for the others are durable.
  bool lost_by_crash(lsn from, lsn until) {
    from = std::max(from, start_of(segment_of(until)));
    std::array<std::byte, sector_bytes> sector{};
    while (from < until) {
      // The first one may hold the end of what is durable.
      const uint64_t size = sector_bytes - from.value() % sector_bytes;
      const byte_span rest = byte_span(sector).first(size);
      if (!read(from, rest)) return true;
      if (std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; })) return true;
      from = from + size;
    }
    return false;
  }

  check_findings& found_;
  const path folder_;
  const timeline_metadata& timeline_;
  const wal::wal_identity identity_;
  std::vector<wal::timeline_switch> history_;
  lsn removed_;  // WAL before it was not needed any more
  std::set<uint64_t> segments_;
  std::set<std::pair<uint64_t, pg_timeline>> present_;
  std::unique_ptr<file> open_;
  uint64_t open_segment_ = 0;
};

}  // namespace

void check_wal(check_findings& found, const path& folder, const timeline_metadata& timeline,
               lsn durable, lsn in_files) {
  wal_walk(found, folder, timeline).run(durable, in_files);
}

}  // namespace zenith::repository
