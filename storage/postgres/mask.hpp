// mask: takes out of a page what PostgreSQL may change without writing WAL, before a comparison.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::pg {

/// Whether a resource manager's records can carry images that serve checking (rmgrlist.h, rm_mask).
bool has_mask(resource_manager rmgr);

/// Makes two pages comparable byte by byte: the one that redo gave, and the image that a record of
/// this resource manager carries for checking (bufmask.c, and each manager's mask function). Takes
/// any bytes: what does not look like a page of the manager's stays as it is.
/// Other resource managers: only LSN and checksum are masked.
void mask_page(resource_manager rmgr, block_number block, page& p);

}  // namespace zenith::pg
