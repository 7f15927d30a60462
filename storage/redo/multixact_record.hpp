// The record that creates a multixact, taken apart.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::redo {

/// multixact.h, MultiXactMember.
struct multixact_member {
  uint32_t xid = 0;
  uint32_t status = 0;  ///< MultiXactStatus
};

/// XLOG_MULTIXACT_CREATE_ID (xl_multixact_create) with what RecordNewMultiXact derives from it.
struct new_multixact {
  uint32_t multixact = 0;
  uint32_t offset = 0;  ///< of the first member
  byte_view members;    ///< multixact_member each, unaligned

  size_t member_count() const { return members.size() / sizeof(multixact_member); }
  multixact_member member(size_t i) const {
    return load<multixact_member>(members.data() + i * sizeof(multixact_member));
  }
  /// The multixact after this one; 0 is none.
  uint32_t next() const { return multixact == UINT32_MAX ? 1 : multixact + 1; }
  /// Where the next one's members will begin; offset 0 is never used.
  uint32_t next_offset() const {
    const uint32_t end = offset + static_cast<uint32_t>(member_count());
    return end == 0 ? 1 : end;
  }
};

/// Error: corrupt, where the record's length is not that of its members.
result<new_multixact> parse_new_multixact(const pg::record& record);

}  // namespace zenith::redo
