// Redo of sequences (sequence.c, seq_redo): a page of one tuple, made anew each time.
#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <commands/sequence.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

namespace {
/// SEQ_MAGIC (sequence.c): what the special space of a sequence's page begins with.
constexpr uint32_t sequence_magic = 0x1717;
}  // namespace

result<void> apply_sequence(const pg::record& record, const pg::block_reference* reference,
                            const key&, page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not refer to this page");
  if (record.opcode() != XLOG_SEQ_LOG)
    return fail(errc::unsupported, fmt::format("unknown opcode {:#04x}", record.opcode()));
  record_reader reader(record.main_data);
  ZENITH_TRY(reader.take(sizeof(xl_seq_rec)));
  pg::page_init(p, MAXALIGN(sizeof(sequence_magic)));
  ZENITH_TRY_ASSIGN(const auto special, pg::special_space(p));
  store(special.data(), sequence_magic);
  ZENITH_TRY(pg::page_add_item(p, reader.rest(), 1, pg::add_item_mode::insert, false));
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
