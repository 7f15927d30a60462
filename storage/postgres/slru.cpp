// The order of SLRU pages, which wraps around with the ids that they hold.
#include "storage/postgres/slru.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/multixact.h>
#include <access/slru.h>
#include <access/transam.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {

static_assert(slru_pages_per_segment == SLRU_PAGES_PER_SEGMENT);

bool transaction_id_precedes(uint32_t a, uint32_t b) {
  if (!TransactionIdIsNormal(a) || !TransactionIdIsNormal(b)) return a < b;
  return static_cast<int32_t>(a - b) < 0;
}

// CLOGPagePrecedes, CommitTsPagePrecedes, MultiXactOffsetPagePrecedes, MultiXactMemberPagePrecedes.
// Ids are moved past those with a special meaning, so that the first page compares like the others.
bool slru_page_precedes(slru_kind slru, uint32_t a, uint32_t b) {
  switch (slru) {
    case slru_kind::multixact_offsets: {
      const uint32_t first = a * multixact_offsets_per_page + FirstMultiXactId + 1;
      const uint32_t second = b * multixact_offsets_per_page + FirstMultiXactId + 1;
      return multixact_precedes(first, second) &&
             multixact_precedes(first, second + multixact_offsets_per_page - 1);
    }
    case slru_kind::multixact_members: {
      const uint32_t first = a * multixact_members_per_page;
      const uint32_t second = b * multixact_members_per_page;
      return multixact_precedes(first, second) &&
             multixact_precedes(first, second + multixact_members_per_page - 1);
    }
    case slru_kind::xact:
    case slru_kind::commit_ts:
      break;
  }
  const uint32_t per_page = slru == slru_kind::xact ? xacts_per_page : commit_ts_per_page;
  const uint32_t first = a * per_page + FirstNormalTransactionId + 1;
  const uint32_t second = b * per_page + FirstNormalTransactionId + 1;
  return transaction_id_precedes(first, second) &&
         transaction_id_precedes(first, second + per_page - 1);
}

bool may_delete_slru_segment(slru_kind slru, uint32_t page_number, uint32_t cutoff_page) {
  const uint32_t first = slru_segment_of(page_number) * slru_pages_per_segment;
  return slru_page_precedes(slru, first, cutoff_page) &&
         slru_page_precedes(slru, first + slru_pages_per_segment - 1, cutoff_page);
}

}  // namespace zenith::pg
