// A pg_wal folder's WAL across pg_timelines.
#include "tests/support/newest_timeline_wal.hpp"

#include <algorithm>
#include <fstream>
#include <optional>

#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {

namespace fs = std::filesystem;

newest_timeline_wal::newest_timeline_wal(fs::path folder, uint32_t segment_size_bytes, lsn from)
    : folder_(std::move(folder)),
      segment_size_bytes_(segment_size_bytes),
      from_(pg::segment_start(from, segment_size_bytes)),
      until_(from_) {
  while (!file_of(until_).empty()) until_ = until_ + segment_size_bytes;
}

fs::path newest_timeline_wal::file_of(lsn at) const {
  std::optional<pg::segment_name> newest;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const auto name =
        pg::parse_segment_file_name(entry.path().filename().string(), segment_size_bytes_);
    if (name && name->number == at.value() / segment_size_bytes_ &&
        (!newest || newest->timeline < name->timeline))
      newest = name;
  }
  if (!newest) return {};
  return folder_ / pg::segment_file_name(newest->timeline, newest->number, segment_size_bytes_);
}

result<void> newest_timeline_wal::read(lsn at, byte_span into) const {
  if (at < from_ || at + into.size() > until_) return fail(errc::out_of_range, "not kept");
  while (!into.empty()) {
    const uint64_t offset = at.value() % segment_size_bytes_;
    const byte_span part =
        into.first(std::min<uint64_t>(into.size(), segment_size_bytes_ - offset));
    std::ifstream in(file_of(at), std::ios::binary);
    in.seekg(static_cast<std::streamoff>(offset));
    in.read(reinterpret_cast<char*>(part.data()), static_cast<std::streamsize>(part.size()));
    if (!in) return fail(errc::io, "cannot read the WAL at " + to_string(at));
    at = at + part.size();
    into = into.subspan(part.size());
  }
  return {};
}

}  // namespace zenith::testing
