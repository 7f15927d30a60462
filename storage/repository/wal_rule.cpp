// Which WAL may go.
#include "storage/repository/wal_rule.hpp"

namespace zenith::repository {
namespace {

// Where the record before the first place begins that says nothing of it itself.
result<lsn> first_unremembered(const kept_wal& own, std::span<const remembered_place> places,
                               lsn end) {
  for (const remembered_place& one : places) {
    if (one.previous.is_valid() || one.at <= own.wal.begin() || one.at > end) continue;
    const auto place = wal::locate_record(own.wal, own.identity, one.at);
    if (place) return place->start;
    // Its WAL is gone already: what is left does not help it.
    if (place.error().code != errc::out_of_range) return tl::unexpected<error>(place.error());
  }
  return lsn{};
}

}  // namespace

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

result<wal_keep> needed_wal(const kept_wal& own, const known_history& history,
                            const retention_window& window, const timeline_id& id,
                            const needed_states* needed, timestamp now) {
  if (needed == nullptr || !needed->knows_all())
    return wal_keep{lsn{}, "what names need is not known while one of their files is damaged"};
  wal_needs needs;
  ZENITH_TRY_ASSIGN(needs.window_begin, window_begin(history, window, now));
  needs.last_written_record = own.last_written_record;
  needs.last_record = own.last_record;
  if (needs.window_begin.is_valid()) {
    ZENITH_TRY_ASSIGN(needs.first_unremembered,
                      first_unremembered(own, needed->places_of(id), history.end));
  }
  return wal_to_keep(needs);
}

}  // namespace zenith::repository
