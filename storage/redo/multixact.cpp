// The MultiXact resource manager: who holds a row together (multixact.c, multixact_redo).
#include <fmt/format.h>

#include "storage/redo/control_data.hpp"
#include "storage/redo/counters.hpp"
#include "storage/redo/multixact_record.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/slru_pages.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/multixact.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

static_assert(sizeof(multixact_member) == sizeof(MultiXactMember));
static_assert(SizeOfMultiXactCreate == 12);

uint32_t offsets_page_of(uint32_t multixact) { return multixact / multixact_offsets_per_page; }
uint32_t members_page_of(uint32_t offset) { return offset / multixact_members_per_page; }

/// The first multixact from this number on: after the last one the counter shows 0, which is none
/// (GetNewMultiXactId).
uint32_t first_from(uint32_t number) {
  return number < FirstMultiXactId ? FirstMultiXactId : number;
}

/// RecordNewMultiXact: this one's offset and the next one's, which may be the first of a page that
/// servers of older minor releases did not make yet, and the members.
result<void> ingest_create(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto created, parse_new_multixact(record));
  const uint32_t offsets_page = offsets_page_of(created.multixact);
  ZENITH_TRY(put_slru_record(sink, slru_kind::multixact_offsets, offsets_page));
  if (const uint32_t next_page = offsets_page_of(created.next()); next_page != offsets_page)
    ZENITH_TRY(put_slru_record(sink, slru_kind::multixact_offsets, next_page));

  uint32_t previous_page = 0;
  for (size_t i = 0; i < created.member_count(); ++i) {
    const uint32_t page_number = members_page_of(created.offset + static_cast<uint32_t>(i));
    if (i > 0 && page_number == previous_page) continue;
    ZENITH_TRY(put_slru_record(sink, slru_kind::multixact_members, page_number));
    previous_page = page_number;
  }
  return {};
}

/// A page of offsets that exists, and on which no multixact was created, was made early by
/// RecordNewMultiXact: zeroing it would lose its first offset, so multixact_redo skips the record.
/// (A page zeroed twice because the server crashed in between looks the same; its first offset is
/// then kept too, the one that TrimMultiXact writes there at every start.)
result<void> ingest_zero_offsets(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto page_number, read_main<uint32_t>(record));
  const key k = key::slru(slru_kind::multixact_offsets, page_number);
  ZENITH_TRY_ASSIGN(const bool exists, sink.exists(k));
  if (exists) {
    ZENITH_TRY_ASSIGN(const auto next, current_next_multixact(sink));
    if (first_from(next.multixact) == first_from(page_number * multixact_offsets_per_page))
      return {};
  }
  sink.put_record(k, record_effect::initialises);
  return {};
}

/// PerformMembersTruncation and PerformOffsetsTruncation.
result<void> ingest_truncate(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto truncate,
                    read_main<xl_multixact_truncate>(record, SizeOfMultiXactTruncate));
  ZENITH_TRY(change_control(sink, [&truncate](pg::control_file& control) {
    control.last_checkpoint.oldest_multixact = truncate.endTruncOff;
    control.last_checkpoint.oldest_multixact_database = truncate.oldestMultiDB;
  }));

  const uint32_t first = slru_segment_of(members_page_of(truncate.startTruncMemb));
  const uint32_t end = slru_segment_of(members_page_of(truncate.endTruncMemb));
  const auto remove = [&sink](uint32_t from, uint32_t until) -> result<void> {
    if (from == until) return {};
    return remove_slru_pages(sink, slru_kind::multixact_members, from * slru_pages_per_segment,
                             until * slru_pages_per_segment - 1);
  };
  const uint32_t segments = slru_segment_of(members_page_of(UINT32_MAX)) + 1;
  if (first <= end) {
    ZENITH_TRY(remove(first, end));
  } else {
    ZENITH_TRY(remove(first, segments));
    ZENITH_TRY(remove(0, end));
  }

  const uint32_t last_removed = truncate.endTruncOff == FirstMultiXactId
                                    ? UINT32_MAX
                                    : truncate.endTruncOff - 1;  // PreviousMultiXactId
  ZENITH_TRY_ASSIGN(const auto next, current_next_multixact(sink));
  return truncate_slru(sink, slru_kind::multixact_offsets, offsets_page_of(last_removed),
                       offsets_page_of(next.multixact));
}

void set_offset(page& p, uint32_t multixact, uint32_t offset) {
  store(p.data.data() + (multixact % multixact_offsets_per_page) * sizeof offset, offset);
}

/// Groups of four members: four bytes of flags, then four transaction ids (multixact.c,
/// MXOffsetToFlagsOffset, MXOffsetToMemberOffset).
result<void> set_member(page& p, uint32_t offset, const multixact_member& member) {
  if (member.status > MaxMultiXactStatus)
    return fail(errc::corrupt,
                fmt::format("transaction {} has the multixact status {}, at most {} "
                            "is known",
                            member.xid, member.status, static_cast<int>(MaxMultiXactStatus)));
  std::byte* group = p.data.data() + (offset / 4) % (page_size_bytes / 20) * 20;
  group[offset % 4] = std::byte{static_cast<uint8_t>(member.status)};
  store(group + 4 + offset % 4 * sizeof(uint32_t), member.xid);
  return {};
}

result<void> apply_create(const pg::record& record, const key& k, page& p) {
  ZENITH_TRY_ASSIGN(const auto created, parse_new_multixact(record));
  if (k.slru_of() == slru_kind::multixact_offsets) {
    if (offsets_page_of(created.multixact) == k.d) set_offset(p, created.multixact, created.offset);
    if (offsets_page_of(created.next()) == k.d)
      set_offset(p, created.next(), created.next_offset());
    return {};
  }
  for (size_t i = 0; i < created.member_count(); ++i) {
    const uint32_t offset = created.offset + static_cast<uint32_t>(i);
    if (members_page_of(offset) == k.d) ZENITH_TRY(set_member(p, offset, created.member(i)));
  }
  return {};
}

}  // namespace

result<new_multixact> parse_new_multixact(const pg::record& record) {
  record_reader reader(record.main_data);
  ZENITH_TRY_ASSIGN(const auto multixact, reader.take<uint32_t>());
  ZENITH_TRY_ASSIGN(const auto offset, reader.take<uint32_t>());
  ZENITH_TRY_ASSIGN(const auto count, reader.take<int32_t>());
  if (count < 0 || static_cast<uint64_t>(count) * sizeof(multixact_member) != reader.rest().size())
    return fail(errc::corrupt, fmt::format("multixact {} claims {} members, the record has {} "
                                           "bytes of them",
                                           multixact, count, reader.rest().size()));
  return new_multixact{multixact, offset, reader.rest()};
}

result<void> ingest_multixact(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case XLOG_MULTIXACT_ZERO_OFF_PAGE:
      return ingest_zero_offsets(record, sink);
    case XLOG_MULTIXACT_ZERO_MEM_PAGE: {
      ZENITH_TRY_ASSIGN(const auto page_number, read_main<uint32_t>(record));
      sink.put_record(key::slru(slru_kind::multixact_members, page_number),
                      record_effect::initialises);
      return {};
    }
    case XLOG_MULTIXACT_CREATE_ID:
      return ingest_create(record, sink);
    case XLOG_MULTIXACT_TRUNCATE_ID:
      return ingest_truncate(record, sink);
    default:
      return fail(errc::unsupported, "the MultiXact resource manager has no such operation");
  }
}

result<void> apply_multixact(const pg::record& record, const pg::block_reference*, const key& k,
                             page& p) {
  if (k.kind != key_kind::slru_page ||
      (k.slru_of() != slru_kind::multixact_offsets && k.slru_of() != slru_kind::multixact_members))
    return fail(errc::corrupt, "a MultiXact record does not change this page");
  switch (record.opcode()) {
    case XLOG_MULTIXACT_CREATE_ID:
      return apply_create(record, k, p);
    case XLOG_MULTIXACT_ZERO_OFF_PAGE:
    case XLOG_MULTIXACT_ZERO_MEM_PAGE:
      p.data.fill(std::byte{0});
      return {};
    default:
      return fail(errc::corrupt, "the record does not change this page");
  }
}

}  // namespace zenith::redo
