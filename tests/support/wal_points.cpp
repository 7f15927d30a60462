// Reading a stretch of WAL for the ends of its records.
#include "tests/support/wal_points.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

#include "storage/postgres/record.hpp"
#include "storage/wal/decoder.hpp"
#include "tests/support/files.hpp"

namespace zenith::testing {
namespace {

constexpr pg_timeline timeline{1};

struct record_end {
  lsn at;
  uint16_t type;  // resource manager and xl_info
};

std::string name_of(uint16_t type) {
  const auto rmgr = static_cast<pg::resource_manager>(type >> 8);
  return pg::resource_manager_name(rmgr) + "/" + pg::record_name(rmgr, static_cast<uint8_t>(type));
}

std::vector<record_end> record_ends(const std::filesystem::path& wal, uint32_t segment_size_bytes,
                                    lsn start) {
  std::vector<record_end> all;
  std::optional<wal::decoder> decode;
  for (uint64_t number = start.value() / segment_size_bytes;; ++number) {
    const auto file = wal / pg::segment_file_name(timeline, number, segment_size_bytes);
    if (!std::filesystem::exists(file)) break;
    const bytes segment = read_file(file);
    const auto header = load<pg::wal_long_page_header>(segment.data());
    if (!decode)
      decode.emplace(wal::wal_identity{system_identifier{header.system}, segment_size_bytes}, start,
                     lsn{});
    const lsn first{number * segment_size_bytes};
    const lsn from = std::max(first, start);
    if (!decode->feed(from, byte_view{segment}.subspan(from - first))) break;
    for (auto found = decode->next(); found && *found; found = decode->next()) {
      const auto record = load<pg::wal_record_header>((*found)->bytes.data());
      // The low half of xl_info is not the type.
      all.push_back(
          {(*found)->end, static_cast<uint16_t>(record.rmgr << 8 | (record.info & 0xF0))});
    }
  }
  if (all.empty()) throw std::runtime_error("no record after " + to_string(start));
  return all;
}

}  // namespace

wal_points choose_wal_points(const std::filesystem::path& wal, uint32_t segment_size_bytes,
                             lsn start, size_t count, std::mt19937_64& random) {
  const std::vector<record_end> ends = record_ends(wal, segment_size_bytes, start);
  std::map<uint16_t, std::vector<lsn>> by_type;
  for (const record_end& one : ends) by_type[one.type].push_back(one.at);
  wal_points points{ends.size(), by_type.size(), ends.back().at, {}};
  while (points.chosen.size() + 1 < count) {
    if (points.chosen.size() % 2 == 0) {
      const auto& [type, places] = *std::next(by_type.begin(), random() % by_type.size());
      points.chosen.push_back({places[random() % places.size()], name_of(type)});
    } else {
      const lsn position = start + random() % (points.end - start);
      const auto found = std::ranges::lower_bound(ends, position, {}, &record_end::at);
      points.chosen.push_back({found->at, name_of(found->type)});
    }
  }
  points.chosen.push_back({points.end, "the end"});
  return points;
}

}  // namespace zenith::testing
