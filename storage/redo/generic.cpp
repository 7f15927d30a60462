// Redo of generic records (generic_xlog.c): pieces of bytes that replace what a page has there.
#include <fmt/format.h>

#include <cstring>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

namespace zenith::redo {
namespace {

/// applyPageRedo: each piece is u16 offset, u16 length, then so many bytes.
result<void> apply_delta(byte_view delta, page& p) {
  record_reader reader(delta);
  while (!reader.rest().empty()) {
    ZENITH_TRY_ASSIGN(const auto offset, reader.take<uint16_t>());
    ZENITH_TRY_ASSIGN(const auto length, reader.take<uint16_t>());
    ZENITH_TRY_ASSIGN(const auto data, reader.take(length));
    if (size_t{offset} + length > page_size_bytes)
      return fail(errc::corrupt,
                  fmt::format("a piece of {} bytes at offset {} leaves the page", length, offset));
    if (length > 0) std::memcpy(p.begin() + offset, data.data(), length);
  }
  return {};
}

}  // namespace

// generic_redo.
result<void> apply_generic(const pg::record& record, const pg::block_reference* reference,
                           const key&, page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not refer to this page");
  if (!reference->will_init && pg::page_is_new(p))
    return fail(errc::corrupt, "the page was never initialised");
  ZENITH_TRY(apply_delta(reference->data, p));
  // A delta says nothing of the space between pd_lower and pd_upper: it is zeros.
  const size_t lower = pg::page_lower(p);
  const size_t upper = pg::page_upper(p);
  if (lower > upper || upper > page_size_bytes)
    return fail(errc::corrupt, fmt::format("the page's free space is from {} to {}", lower, upper));
  std::memset(p.begin() + lower, 0, upper - lower);
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
