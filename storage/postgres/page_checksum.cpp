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

// Every page that redo changed gets one where the cluster has checksums. Built for AVX2 as well,
// chosen when the program is loaded, it takes less than half the time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx2", "default"), flatten))
#endif
uint16_t
page_checksum(const page& p, uint32_t block) {
  page copy = p;  // pg_checksum_page zeroes pd_checksum in the page while it computes
  return pg_checksum_page(reinterpret_cast<char*>(copy.begin()), block);
}

void set_page_checksum(page& p, uint32_t block) {
  if (page_is_new(p)) return;
  store(p.begin() + offsetof(PageHeaderData, pd_checksum), page_checksum(p, block));
}

}  // namespace zenith::pg
