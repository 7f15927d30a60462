// version_entry: one version of one key, as files hold it and merges pass it on.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::layers {

/// What a version says of its key. The numbers are stored in delta layers: frozen.
enum class version_kind : uint8_t {
  changes = 0,      ///< a WAL record that changes the page before it
  initialises = 1,  ///< a WAL record that makes the page by itself
  value = 2,        ///< the whole value; of a page, its checksum included
  absent = 3,       ///< it does not exist from here on
  copy = 4,         ///< what another key was at an LSN
};

/// One version. What it refers to lives as long as who gave it says.
struct version_entry {
  key k;
  lsn at;  ///< from this LSN on it counts: the end of its record
  version_kind kind{};
  byte_view data;         ///< of a record its bytes, of a value the value, else empty
  lsn record_start;       ///< of a record
  key source;             ///< of a copy
  lsn source_at;          ///< of a copy
  bool is_short = false;  ///< of a record: as files keep it (postgres/stored_record.hpp)

  bool is_record() const { return kind <= version_kind::initialises; }
};

/// Goes through versions by rising key, those of one key from the newest to the oldest.
class version_cursor {
 public:
  virtual ~version_cursor() = default;
  /// Gives the next one, or false at the end. The entry is valid until the next call.
  /// Errors: corrupt, io (both name file and place).
  virtual result<bool> next(version_entry& into) = 0;
};

}  // namespace zenith::layers
