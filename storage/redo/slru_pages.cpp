// Touching and truncating SLRU pages.
#include "storage/redo/slru_pages.hpp"

namespace zenith::redo {

result<void> put_slru_record(change_sink& sink, slru_kind slru, uint32_t page_number) {
  const key k = key::slru(slru, page_number);
  ZENITH_TRY_ASSIGN(const bool exists, sink.exists(k));
  sink.put_record(k, exists ? record_effect::changes : record_effect::initialises);
  return {};
}

result<void> truncate_slru(change_sink& sink, slru_kind slru, uint32_t cutoff_page,
                           uint32_t latest_page) {
  if (pg::slru_page_precedes(slru, latest_page, cutoff_page)) return {};
  ZENITH_TRY_ASSIGN(const auto keys,
                    sink.current_keys(key::slru(slru, 0), key::slru(slru, UINT32_MAX)));
  for (const key& k : keys)
    if (pg::may_delete_slru_segment(slru, k.d, cutoff_page)) sink.put_absent(k);
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
