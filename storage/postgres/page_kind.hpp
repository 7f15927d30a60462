// page_kind: what made a page, told from the page alone.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::pg {

enum class page_kind : uint8_t {
  empty,  ///< never initialised (pd_upper is 0)
  heap,   ///< no special space: a table's, a visibility or free space map's
  btree,
  hash,
  gin,
  gist,
  spgist,
  brin,
  sequence,
  other,  ///< an extension's access method, or damaged
};

/// Tells kinds apart by the size of the special space and by the mark that access methods leave in
/// its last two bytes for this purpose (nbtree.h, MAX_BT_CYCLE_ID, and its like). Takes any bytes.
page_kind kind_of(const page& p, block_number block);

/// The resource manager whose mask makes two such pages comparable (mask.hpp). Generic for kinds
/// that have none of their own.
resource_manager mask_of(page_kind kind);

}  // namespace zenith::pg
