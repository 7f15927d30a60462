// relation_map: pg_filenode.map, which says what files the mapped catalogs have.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::pg {

struct relation_mapping {
  uint32_t oid = 0;  ///< of the catalog
  uint32_t relfilenode = 0;

  bool operator==(const relation_mapping&) const = default;
};

/// The file (relmapper.c, RelMapFile). Little-endian, 512 bytes, frozen.
///    0  i32  magic 0x592717
///    4  i32  number of mappings, 62 at most
///    8       62 times u32 oid, u32 relfilenode
///  504  u32  CRC-32C of all above
///  508       padding
inline constexpr size_t relation_map_size_bytes = 512;

/// The mappings, in the file's order. Error: corrupt (length, magic, number, CRC).
result<std::vector<relation_mapping>> decode_relation_map(byte_view stored);

}  // namespace zenith::pg
