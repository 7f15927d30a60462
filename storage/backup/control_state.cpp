// What pg_control holds as of an LSN.
#include "storage/backup/control_state.hpp"

#include <fmt/format.h>

namespace zenith::backup {

result<bytes> required_value(const layers::view& view, const key& k, lsn at, size_t size_bytes) {
  ZENITH_TRY_ASSIGN(auto value, view.value(k, at));
  if (!value || value->size() < size_bytes)
    return fail(errc::corrupt, fmt::format("{} has {} bytes at {}, expected {}", to_string(k),
                                           value ? value->size() : 0, to_string(at), size_bytes));
  return std::move(*value);
}

result<pg::control_file> control_at(const layers::view& view, lsn at) {
  ZENITH_TRY_ASSIGN(const bytes stored,
                    required_value(view, key::control(), at, pg::control_data_size_bytes));
  ZENITH_TRY_ASSIGN(pg::control_file control, pg::decode_control_file(stored));
  pg::checkpoint& counters = control.last_checkpoint;
  ZENITH_TRY_ASSIGN(const bytes xid, required_value(view, key::next_full_xid(), at, 8));
  counters.next_full_xid = load<uint64_t>(xid.data());
  ZENITH_TRY_ASSIGN(const bytes oid, required_value(view, key::next_oid(), at, 4));
  counters.next_oid = load<uint32_t>(oid.data());
  ZENITH_TRY_ASSIGN(const bytes multixact, required_value(view, key::next_multixact(), at, 8));
  counters.next_multixact = load<uint32_t>(multixact.data());
  counters.next_multixact_offset = load<uint32_t>(multixact.data() + 4);
  counters.oldest_active_xid = 0;
  return control;
}

}  // namespace zenith::backup
