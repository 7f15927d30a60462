// Which WAL may go.
#include "storage/repository/wal_rule.hpp"

namespace zenith::repository {

wal_keep wal_to_keep(const wal_needs& needs) {
  wal_keep keep{needs.window_begin, "its window for WAL"};
  const auto also = [&](lsn from, const char* why) {
    if (from < keep.from) keep = {from, why};
  };
  also(needs.last_written_record, "what comes after is not in layer files yet");
  also(needs.last_record, "a server may start at its last record");
  if (needs.first_unremembered.is_valid())
    also(needs.first_unremembered,
         "a tag or server of an earlier version does not say where the record before it begins");
  return keep;
}

}  // namespace zenith::repository
