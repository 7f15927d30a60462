// The checksum of a page, as PostgreSQL's own header computes it.
#include "storage/postgres/page_items.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <storage/bufpage.h>
// After bufpage.h.
#include <storage/checksum.h>
#include <storage/checksum_impl.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {

uint16_t page_checksum(const page& p, uint32_t block) {
  page copy = p;  // pg_checksum_page zeroes pd_checksum in the page while it computes
  return pg_checksum_page(reinterpret_cast<char*>(copy.begin()), block);
}

void set_page_checksum(page& p, uint32_t block) {
  if (page_is_new(p)) return;
  store(p.begin() + offsetof(PageHeaderData, pd_checksum), page_checksum(p, block));
}

}  // namespace zenith::pg
