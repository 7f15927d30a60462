// mask: takes out of a page what PostgreSQL may change without writing WAL, before a comparison.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/postgres/page_kind.hpp"

namespace zenith::pg {

/// Whether a resource manager's records can carry images that serve checking (rmgrlist.h, rm_mask).
bool has_mask(resource_manager rmgr);

/// Makes two pages comparable byte by byte: the one that redo gave, and the image that a record of
/// this resource manager carries for checking (bufmask.c, and each manager's mask function). Takes
/// any bytes: what does not look like a page of the manager's stays as it is.
/// Other resource managers: only LSN and checksum are masked.
void mask_page(resource_manager rmgr, block_number block, page& p);

/// Where two pages stop being equal.
struct page_difference {
  uint32_t offset = 0;  ///< of the first byte that differs, in the page
  std::byte first{};    ///< what it is in each of them
  std::byte second{};
};

/// The first difference of two pages as they are; nullopt: they are equal.
std::optional<page_difference> first_difference(const page& first, const page& second);

/// The same after mask_page on both: what wal_consistency_checking would complain of.
std::optional<page_difference> first_difference(resource_manager rmgr, block_number block,
                                                page first, page second);

/// What no record carries, so that those images are never of such a page, but a server's own file
/// has: SP-GiST's list of pages with room, in its meta page (spgutils.c, SpGistUpdateMetaPage).
void mask_never_logged(page_kind kind, page& p);

}  // namespace zenith::pg
