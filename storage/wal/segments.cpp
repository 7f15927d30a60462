// Writing segment files: appending, syncing, giving up, and changing the pg_timeline.
#include "storage/wal/segments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/io/durable_file.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/wal/removed_wal.hpp"

namespace zenith::wal {

result<void> wal_directory::append(lsn at, byte_view data) {
  if (at < how_.start) {
    const size_t early = std::min<uint64_t>(data.size(), how_.start - at);
    ZENITH_TRY(take_before_start(at, data.first(early)));
    data = data.subspan(early);
    at = at + early;
  }
  if (data.empty()) return {};
  if (at > end())
    return fail(errc::invalid_argument,
                fmt::format("WAL at {} does not follow what ends at {} in {}", to_string(at),
                            to_string(end()), how_.directory.string()));
  if (at < end()) {
    const size_t again = std::min<uint64_t>(data.size(), end() - at);
    ZENITH_TRY(compare(at, data.first(again)));
    data = data.subspan(again);
    at = at + again;
  }
  while (!data.empty()) {
    const size_t here =
        std::min<uint64_t>(data.size(), how_.identity.segment_size_bytes - offset_of(at));
    ZENITH_TRY(write_in_segment(at, data.first(here)));
    data = data.subspan(here);
    at = at + here;
  }
  return {};
}

// A stream begins at a page's start, the timeline perhaps later in the page. Where the true bytes
// were not known, these are they.
result<void> wal_directory::take_before_start(lsn at, byte_view data) {
  const lsn page = pg::wal_page_start(how_.start);
  if (at < page)
    return fail(errc::invalid_argument,
                fmt::format("WAL at {} lies before {}, where {} begins", to_string(at),
                            to_string(page), how_.directory.string()));
  if (how_.before == nullptr || how_.before->begin() > page) {
    ZENITH_TRY_ASSIGN(const auto into, writable(at));
    ZENITH_TRY(into->write(offset_of(at), data));
    return into->sync();
  }
  bytes known(data.size());
  const auto read = how_.before->read(at, known);
  // Removed meanwhile: what the server says is all that there is.
  if (!read && read.error().code == errc::out_of_range) {
    ZENITH_TRY_ASSIGN(const auto into, writable(at));
    ZENITH_TRY(into->write(offset_of(at), data));
    return into->sync();
  }
  ZENITH_TRY(read);
  if (!std::ranges::equal(known, data))
    return fail(errc::conflict,
                fmt::format("WAL from {} to {} is not that of the timeline that this one left",
                            to_string(at), to_string(at + data.size())));
  return {};
}

result<void> wal_directory::compare(lsn at, byte_view data) const {
  bytes there(std::min<size_t>(data.size(), 256 * 1024));
  while (!data.empty()) {
    there.resize(std::min(data.size(), there.size()));
    ZENITH_TRY(read_files(at, there));
    const auto differs = std::ranges::mismatch(there, data.first(there.size())).in1;
    if (differs != there.end())
      return fail(errc::conflict,
                  fmt::format("WAL at {} differs from what was received before, in {}",
                              to_string(at + static_cast<uint64_t>(differs - there.begin())),
                              how_.directory.string()));
    data = data.subspan(there.size());
    at = at + there.size();
  }
  return {};
}

result<void> wal_directory::write_in_segment(lsn at, byte_view data) {
  ZENITH_TRY_ASSIGN(const file_pointer into, writable(at));
  dirty_ = into;
  dirty_id_ = {segment_of(at), how_.history.back().number};
  ZENITH_TRY(into->write(offset_of(at), data));
  const lsn until = at + data.size();
  end_.store(until.value(), std::memory_order_release);
  if (until == start_of(segment_of(until))) return sync();
  return {};
}

result<void> wal_directory::sync() {
  if (dirty_ == nullptr) return {};
  if (auto synced = dirty_->sync(); !synced) {
    // The kernel may now take what it could not write for written. Zeros over it keep a later
    // search for the end from believing in bytes that only memory has.
    const lsn from = durable_until();
    const bytes zeros(end() - from);
    end_.store(from.value(), std::memory_order_release);
    const auto cleared = dirty_->write(offset_of(from), zeros);
    forget(dirty_id_);
    if (cleared) return synced;
    return fail(errc::io,
                fmt::format("{}; what it holds from {} on was not cleared: {}",
                            synced.error().message, to_string(from), cleared.error().message));
  }
  durable_.store(end().value(), std::memory_order_release);
  dirty_ = nullptr;
  return {};
}

result<void> wal_directory::rewind(lsn to) {
  const lsn old_end = end();
  if (to < how_.start || to > old_end)
    return fail(
        errc::invalid_argument,
        fmt::format("WAL cannot be cut back to {}: {} holds it from {} to {}", to_string(to),
                    how_.directory.string(), to_string(how_.start), to_string(old_end)));
  if (to == old_end) return {};
  durable_.store(std::min(durable_until(), to).value(), std::memory_order_release);
  end_.store(to.value(), std::memory_order_release);
  // Whole records past the new end must not be found again; nor a later segment, which would
  // speak for damage before it.
  std::vector<file_id> later;
  {
    const std::lock_guard lock(mutex_);
    for (const file_id& id : present_)
      if (id.number == how_.history.back().number && start_of(id.segment) >= to)
        later.push_back(id);
  }
  ZENITH_TRY(remove_files(later));
  if (to == start_of(segment_of(to))) return {};
  ZENITH_TRY_ASSIGN(dirty_, writable(to));
  dirty_id_ = {segment_of(to), how_.history.back().number};
  const lsn until = std::min(old_end, start_of(segment_of(to) + 1));
  return dirty_->write(offset_of(to), bytes(until - to));
}

result<void> wal_directory::switch_timeline(pg_timeline number, lsn at) {
  if (number <= how_.history.back().number || at < how_.history.back().start || at < how_.start ||
      at > end())
    return fail(errc::invalid_argument,
                fmt::format("pg_timeline {} cannot begin at {} after pg_timeline {}, which begins "
                            "at {} and ends at {}",
                            static_cast<uint32_t>(number), to_string(at),
                            static_cast<uint32_t>(how_.history.back().number),
                            to_string(how_.history.back().start), to_string(end())));
  ZENITH_TRY(sync());
  // What an earlier attempt left behind, which came to nothing.
  std::vector<file_id> old;
  {
    const std::lock_guard lock(mutex_);
    for (const file_id& id : present_)
      if (id.number >= number) old.push_back(id);
  }
  ZENITH_TRY(remove_files(old));
  const std::lock_guard lock(mutex_);
  how_.history.push_back({number, at});
  durable_.store(at.value(), std::memory_order_release);
  end_.store(at.value(), std::memory_order_release);
  return {};
}

std::vector<wal_directory::file_id> wal_directory::files_before(lsn segment_start) const {
  const std::lock_guard lock(mutex_);
  std::vector<file_id> all;
  for (const file_id& id : present_)
    if (start_of(id.segment) < segment_start) all.push_back(id);
  return all;
}

wal_directory::removal wal_directory::removable_before(lsn needed) const {
  const lsn first = start_of(segment_of(std::min(needed, durable_until())));
  const uint64_t files = files_before(first).size();
  return {files, files * how_.identity.segment_size_bytes,
          files == 0 ? begin() : std::max(begin(), first)};
}

result<wal_directory::removal> wal_directory::remove_before(lsn needed) {
  removal done = removable_before(needed);
  if (done.files == 0) return done;
  const lsn first = start_of(segment_of(std::min(needed, durable_until())));
  const std::vector<file_id> ids = files_before(first);
  if (first.value() > removed_) {
    ZENITH_TRY(write_removed(*how_.files, how_.directory, first));
    removed_.store(first.value(), std::memory_order_release);
  }
  ZENITH_TRY(remove_files(ids));
  done.kept_from = begin();
  return done;
}

result<void> wal_directory::remove_files(std::span<const file_id> ids) {
  for (const file_id& id : ids) {
    forget(id);
    ZENITH_TRY(how_.files->remove(path_of(id)));
    const std::lock_guard lock(mutex_);
    present_.erase(id);
  }
  if (ids.empty()) return {};
  return how_.files->sync_directory(how_.directory);
}

void wal_directory::forget(const file_id& id) {
  if (dirty_ != nullptr && dirty_id_ == id) dirty_ = nullptr;
  const std::lock_guard lock(mutex_);
  open_files_.erase(id);
}

// The file for bytes at or after the last pg_timeline's start.
result<wal_directory::file_pointer> wal_directory::writable(lsn at) {
  const file_id id{segment_of(at), how_.history.back().number};
  bool there = false;
  {
    const std::lock_guard lock(mutex_);
    there = present_.contains(id);
  }
  if (!there) ZENITH_TRY(make_segment(id));
  const std::lock_guard lock(mutex_);
  return opened(id);
}

// Like PostgreSQL (xlog.c, XLogFileInit), under another name until it is whole.
result<void> wal_directory::make_segment(const file_id& id) {
  const lsn start = start_of(id.segment);
  bytes before;
  if (end() > start) {
    ZENITH_TRY_ASSIGN(before, bytes_before(start, end()));
  }
  if (present_.empty()) ZENITH_TRY(create_directories_durably(*how_.files, how_.directory));
  const path name = path_of(id);
  path temporary = name;
  temporary += temporary_ending;
  {
    ZENITH_TRY_ASSIGN(const auto made, how_.files->open(temporary, open_mode::create));
    ZENITH_TRY(made->resize(0));
    ZENITH_TRY(made->resize(how_.identity.segment_size_bytes));
    ZENITH_TRY(made->write(0, before));
    ZENITH_TRY(made->sync());
  }
  ZENITH_TRY(how_.files->rename(temporary, name));
  ZENITH_TRY(how_.files->sync_directory(how_.directory));
  const std::lock_guard lock(mutex_);
  present_.insert(id);
  return {};
}

// What a new file holds from its segment's start on: this timeline's own bytes, those of the WAL
// before it, and, where these are not kept, page headers by which a reader finds its way.
result<bytes> wal_directory::bytes_before(lsn segment_start, lsn until) const {
  bytes all(until - segment_start);
  const auto part = [&](lsn from, lsn to) {
    return byte_span{all}.subspan(from - segment_start, to - from);
  };
  const lsn own = std::max(segment_start, how_.start);
  if (own < until) ZENITH_TRY(read_files(own, part(own, until)));
  if (own == segment_start) return all;

  lsn known = own;
  if (how_.before != nullptr && how_.before->end() >= own) {
    const lsn kept = pg::wal_page_start(how_.before->begin() + (page_size_bytes - 1));
    const lsn first = std::max(segment_start, kept);
    if (first <= pg::wal_page_start(own)) known = first;
  }
  if (known < own) {
    const auto copied = how_.before->read(known, part(known, own));
    if (!copied && copied.error().code != errc::out_of_range) return tl::unexpected(copied.error());
    if (!copied) {
      std::ranges::fill(part(known, own), std::byte{0});
      known = own;
    }
  }

  pg_timeline number = how_.history.front().number;
  for (const timeline_switch& entry : how_.history)
    if (entry.start < how_.start) number = entry.number;
  // Each page says that it holds the rest of a record, which ends where what is known begins.
  uint64_t rest = 0;
  for (lsn page_end = known; page_end > segment_start;) {
    const lsn page = pg::wal_page_start(page_end - 1);
    const size_t header = pg::page_header_size_bytes(page, how_.identity.segment_size_bytes);
    if (page_end < page + header) break;
    rest += page_end - page - header;
    const bytes encoded =
        pg::encode_page_header(page, number, static_cast<uint32_t>(rest), how_.identity.system,
                               how_.identity.segment_size_bytes);
    std::ranges::copy(encoded, part(page, page + header).begin());
    page_end = page;
  }
  return all;
}

}  // namespace zenith::wal
