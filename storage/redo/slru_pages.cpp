// Touching and truncating SLRU pages.
#include "storage/redo/slru_pages.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/multixact.h>
#include <access/slru.h>
#include <access/transam.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

static_assert(slru_pages_per_segment == SLRU_PAGES_PER_SEGMENT);

/// The SLRU's PagePrecedes: CLOGPagePrecedes, CommitTsPagePrecedes, MultiXactOffsetPagePrecedes.
/// The members SLRU has none: it is cut by segments.
bool page_precedes(slru_kind slru, uint32_t a, uint32_t b) {
  if (slru == slru_kind::multixact_offsets) {
    const uint32_t first = a * multixact_offsets_per_page + FirstMultiXactId + 1;
    const uint32_t second = b * multixact_offsets_per_page + FirstMultiXactId + 1;
    return multixact_precedes(first, second) &&
           multixact_precedes(first, second + multixact_offsets_per_page - 1);
  }
  const uint32_t per_page = slru == slru_kind::xact ? xacts_per_page : commit_ts_per_page;
  const uint32_t first = a * per_page + FirstNormalTransactionId + 1;
  const uint32_t second = b * per_page + FirstNormalTransactionId + 1;
  return transaction_id_precedes(first, second) &&
         transaction_id_precedes(first, second + per_page - 1);
}

/// SlruMayDeleteSegment (slru.c).
bool may_delete_segment(slru_kind slru, uint32_t page_number, uint32_t cutoff_page) {
  const uint32_t first = slru_segment_of(page_number) * slru_pages_per_segment;
  return page_precedes(slru, first, cutoff_page) &&
         page_precedes(slru, first + slru_pages_per_segment - 1, cutoff_page);
}

}  // namespace

bool transaction_id_precedes(uint32_t a, uint32_t b) {
  if (!TransactionIdIsNormal(a) || !TransactionIdIsNormal(b)) return a < b;
  return static_cast<int32_t>(a - b) < 0;
}

result<void> put_slru_record(change_sink& sink, slru_kind slru, uint32_t page_number) {
  const key k = key::slru(slru, page_number);
  ZENITH_TRY_ASSIGN(const bool exists, sink.exists(k));
  sink.put_record(k, exists ? record_effect::changes : record_effect::initialises);
  return {};
}

result<void> truncate_slru(change_sink& sink, slru_kind slru, uint32_t cutoff_page,
                           uint32_t latest_page) {
  if (page_precedes(slru, latest_page, cutoff_page)) return {};
  ZENITH_TRY_ASSIGN(const auto keys,
                    sink.current_keys(key::slru(slru, 0), key::slru(slru, UINT32_MAX)));
  for (const key& k : keys)
    if (may_delete_segment(slru, k.d, cutoff_page)) sink.put_absent(k);
  return {};
}

result<void> remove_slru_pages(change_sink& sink, slru_kind slru, uint32_t first_page,
                               uint32_t last_page) {
  ZENITH_TRY_ASSIGN(const auto keys,
                    sink.current_keys(key::slru(slru, first_page), key::slru(slru, last_page)));
  for (const key& k : keys) sink.put_absent(k);
  return {};
}

}  // namespace zenith::redo
