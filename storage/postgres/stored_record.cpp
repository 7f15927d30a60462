// Writing a record's header, its blocks' headers and the payload that is kept (xloginsert.c,
// XLogRecordAssemble, has the layout).
#include "storage/postgres/stored_record.hpp"

#include <algorithm>

#include "storage/base/assert.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/xlogrecord.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

bool keeps_image(const block_reference& block, const key& k) {
  if (!block.has_image || !block.image.apply || k.kind != key_kind::relation_block) return false;
  return block.relation == k.relation() && block.fork == k.relation_fork() &&
         (k.is_all_blocks() || block.block == k.d);
}

/// Fills memory that is known to be large enough.
class writer {
 public:
  explicit writer(std::byte* at) : at_(at) {}

  template <class T>
  void put(const T& value) {
    store(at_, value);
    at_ += sizeof(T);
  }
  void put(byte_view part) { at_ = std::copy(part.begin(), part.end(), at_); }
  std::byte* at() const { return at_; }

 private:
  std::byte* at_;
};

void put_block_header(writer& out, const block_reference& block, bool with_image,
                      const block_reference* before) {
  const bool same = before != nullptr && before->relation == block.relation;
  out.put(block.id);
  out.put(static_cast<uint8_t>(
      static_cast<uint8_t>(block.fork) | (with_image ? BKPBLOCK_HAS_IMAGE : 0) |
      (block.has_data ? BKPBLOCK_HAS_DATA : 0) | (block.will_init ? BKPBLOCK_WILL_INIT : 0) |
      (same ? BKPBLOCK_SAME_REL : 0)));
  out.put(static_cast<uint16_t>(block.data.size()));
  if (with_image) {
    out.put(static_cast<uint16_t>(block.image.data.size()));
    out.put(block.image.hole_offset);
    out.put(block.image.info);
    if (BKPIMAGE_COMPRESSED(block.image.info) && (block.image.info & BKPIMAGE_HAS_HOLE) != 0)
      out.put(block.image.hole_length);
  }
  if (!same)
    out.put(RelFileNode{block.relation.tablespace, block.relation.database,
                        block.relation.relfilenode});
  out.put(block.block);
}

}  // namespace

bool keeps_all(const record& r) {
  return std::ranges::none_of(r.blocks(),
                              [](const block_reference& block) { return block.has_image; });
}

void clear_crc_and_link(byte_span raw) {
  ZENITH_ASSERT(raw.size() >= SizeOfXLogRecord);
  std::memset(raw.data() + offsetof(XLogRecord, xl_crc), 0, sizeof(pg_crc32c));
  std::memset(raw.data() + offsetof(XLogRecord, xl_prev), 0, sizeof(XLogRecPtr));
}

void encode_for_page(const record& r, const key& k, bytes& into) {
  constexpr size_t block_header_max = 1 + 1 + 2 + 5 + 2 + sizeof(RelFileNode) + 4;
  size_t bound = SizeOfXLogRecord + r.blocks().size() * block_header_max + 3 + 5 + 5;
  for (const block_reference& block : r.blocks())
    bound += block.data.size() + (keeps_image(block, k) ? block.image.data.size() : 0);
  into.resize(bound + r.main_data.size());

  writer out(into.data() + SizeOfXLogRecord);
  const block_reference* before = nullptr;
  for (const block_reference& block : r.blocks()) {
    put_block_header(out, block, keeps_image(block, k), before);
    before = &block;
  }
  if (r.origin) {
    out.put(uint8_t{XLR_BLOCK_ID_ORIGIN});
    out.put(*r.origin);
  }
  if (r.toplevel_xid) {
    out.put(uint8_t{XLR_BLOCK_ID_TOPLEVEL_XID});
    out.put(*r.toplevel_xid);
  }
  if (r.main_data.size() > UINT8_MAX) {
    out.put(uint8_t{XLR_BLOCK_ID_DATA_LONG});
    out.put(static_cast<uint32_t>(r.main_data.size()));
  } else if (!r.main_data.empty()) {
    out.put(uint8_t{XLR_BLOCK_ID_DATA_SHORT});
    out.put(static_cast<uint8_t>(r.main_data.size()));
  }
  for (const block_reference& block : r.blocks()) {
    if (keeps_image(block, k)) out.put(block.image.data);
    out.put(block.data);
  }
  out.put(r.main_data);
  into.resize(static_cast<size_t>(out.at() - into.data()));

  XLogRecord header{};
  header.xl_tot_len = static_cast<uint32_t>(into.size());
  header.xl_xid = r.xid;
  header.xl_info = r.info;
  header.xl_rmid = static_cast<RmgrId>(r.rmgr);
  std::memcpy(into.data(), &header, SizeOfXLogRecord);
}

}  // namespace zenith::pg
