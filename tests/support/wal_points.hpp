// wal_points: LSNs of a stretch of WAL at which a judgement is worth the most.
#pragma once

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "storage/base/lsn.hpp"

namespace zenith::testing {

/// The end of a record, and which.
struct wal_point {
  lsn at;
  std::string after;  ///< "Btree/SPLIT_L"
};

struct wal_points {
  size_t records = 0;
  size_t record_types = 0;
  lsn end;  ///< of the last record
  std::vector<wal_point> chosen;
};

/// Reads the segment files of pg_timeline 1 in `wal` from `start`, the end of a whole record, and
/// chooses record ends after it: every second one at a random byte position, the others after a
/// random record of a random type, so that what is rare is met as often as what is not. The last
/// of `count` is the end.
wal_points choose_wal_points(const std::filesystem::path& wal, uint32_t segment_size_bytes,
                             lsn start, size_t count, std::mt19937_64& random);

}  // namespace zenith::testing
