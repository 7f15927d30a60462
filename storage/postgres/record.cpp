// Taking a WAL record apart, every length checked against the bytes that are there.
#include "storage/postgres/record.hpp"

#include <fmt/format.h>

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/rmgr.h>
#include <access/xlogrecord.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

static_assert(SizeOfXLogRecord == 24 && sizeof(XLogRecord) == 24);
static_assert(record::max_blocks == XLR_MAX_BLOCK_ID + 1);
static_assert(sizeof(RelFileNode) == 12 && sizeof(relation_id) == 12);

template <class... Arguments>
tl::unexpected<error> corrupt(lsn at, fmt::format_string<Arguments...> text,
                              Arguments&&... values) {
  return fail(errc::corrupt, fmt::format("WAL record at {}: {}", to_string(at),
                                         fmt::format(text, std::forward<Arguments>(values)...)));
}

// Hands out the record's header fields, one after the other.
class header_reader {
 public:
  explicit header_reader(byte_view rest) : rest_(rest) {}

  template <class T>
  bool take(T& into) {
    if (rest_.size() < sizeof(T)) return false;
    into = load<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }
  // The headers end where what is left is no more than the payload that they announced.
  bool more(size_t announced_bytes) const { return rest_.size() > announced_bytes; }
  byte_view rest() const { return rest_; }

 private:
  byte_view rest_;
};

result<void> cut_short(lsn at) { return corrupt(at, "it is cut short inside its headers"); }

// What the image's header says of its hole and compression must agree (DecodeXLogRecord), and
// image and hole must fit a page, which PostgreSQL leaves to whoever wrote the record.
result<void> check_image(const block_reference& block, size_t length_bytes, lsn at) {
  const block_image& image = block.image;
  const bool compressed = BKPIMAGE_COMPRESSED(image.info);
  const bool hole = (image.info & BKPIMAGE_HAS_HOLE) != 0;
  const size_t stored = length_bytes + (compressed ? 0 : image.hole_length);
  if (hole && (image.hole_offset == 0 || image.hole_length == 0 || length_bytes >= BLCKSZ))
    return corrupt(at, "block {}: image of {} bytes with a hole of {} bytes at offset {}", block.id,
                   length_bytes, image.hole_length, image.hole_offset);
  if (!hole && (image.hole_offset != 0 || image.hole_length != 0))
    return corrupt(at, "block {}: image without a hole names one of {} bytes at offset {}",
                   block.id, image.hole_length, image.hole_offset);
  if (compressed && length_bytes >= BLCKSZ)
    return corrupt(at, "block {}: compressed image of {} bytes", block.id, length_bytes);
  if (!compressed && stored != BLCKSZ)
    return corrupt(at, "block {}: image and hole have {} bytes, a page has {}", block.id, stored,
                   BLCKSZ);
  if (size_t{image.hole_offset} + image.hole_length > BLCKSZ)
    return corrupt(at, "block {}: a hole of {} bytes at offset {} leaves the page", block.id,
                   image.hole_length, image.hole_offset);
  return {};
}

// Lengths of a block's payload, kept until all headers are read: the payload follows them all.
struct payload_lengths {
  uint16_t image = 0;
  uint16_t data = 0;
};

// XLogRecordBlockImageHeader, and XLogRecordBlockCompressHeader behind it where there is one.
result<void> read_image_header(header_reader& in, lsn at, block_reference& block,
                               payload_lengths& lengths) {
  block_image& image = block.image;
  image = {};
  if (!in.take(lengths.image) || !in.take(image.hole_offset) || !in.take(image.info))
    return cut_short(at);
  image.apply = (image.info & BKPIMAGE_APPLY) != 0;
  const bool hole = (image.info & BKPIMAGE_HAS_HOLE) != 0;
  if (BKPIMAGE_COMPRESSED(image.info)) {
    if (hole && !in.take(image.hole_length)) return cut_short(at);
  } else if (lengths.image <= BLCKSZ) {
    image.hole_length = static_cast<uint16_t>(BLCKSZ - lengths.image);
  }
  return check_image(block, lengths.image, at);
}

// XLogRecordBlockHeader without its id, and what follows it. `last`: the relation of the block
// before, nullptr where there is none.
result<void> read_block_header(header_reader& in, lsn at, const relation_id* last,
                               block_reference& block, payload_lengths& lengths) {
  uint8_t flags = 0;
  if (!in.take(flags) || !in.take(lengths.data)) return cut_short(at);
  const auto fork = static_cast<uint8_t>(flags & BKPBLOCK_FORK_MASK);
  if (fork >= all_forks.size()) return corrupt(at, "block {}: unknown fork {}", block.id, fork);
  block.fork = static_cast<fork_number>(fork);
  block.will_init = (flags & BKPBLOCK_WILL_INIT) != 0;
  block.has_image = (flags & BKPBLOCK_HAS_IMAGE) != 0;
  block.has_data = (flags & BKPBLOCK_HAS_DATA) != 0;
  block.data = {};
  if (block.has_data != (lengths.data > 0))
    return corrupt(at, "block {}: {} bytes of data, but its flags say {}", block.id, lengths.data,
                   block.has_data ? "some" : "none");
  if (block.has_image)
    ZENITH_TRY(read_image_header(in, at, block, lengths));
  else
    block.image = {};
  if ((flags & BKPBLOCK_SAME_REL) == 0) {
    RelFileNode node;
    if (!in.take(node)) return cut_short(at);
    block.relation = {node.spcNode, node.dbNode, node.relNode};
  } else {
    if (last == nullptr)
      return corrupt(at, "block {}: same relation as the block before it, but is the first",
                     block.id);
    block.relation = *last;
  }
  if (!in.take(block.block)) return cut_short(at);
  return {};
}

// The parts of a record's payload whose lengths the headers announced.
struct announced {
  std::array<payload_lengths, record::max_blocks> blocks;
  size_t main_data = 0;
  size_t total = 0;
};

result<void> read_headers(header_reader& in, record& into, announced& sizes) {
  const lsn at = into.start;
  while (in.more(sizes.total)) {
    uint8_t id = 0;
    in.take(id);
    if (id == XLR_BLOCK_ID_DATA_SHORT || id == XLR_BLOCK_ID_DATA_LONG) {
      uint8_t short_length = 0;
      uint32_t long_length = 0;
      const bool is_short = id == XLR_BLOCK_ID_DATA_SHORT;
      if (is_short ? !in.take(short_length) : !in.take(long_length)) return cut_short(at);
      sizes.main_data = is_short ? short_length : long_length;
      sizes.total += sizes.main_data;
      return {};  // the main data's header is the last one
    }
    if (id == XLR_BLOCK_ID_ORIGIN) {
      if (!in.take(into.origin.emplace())) return cut_short(at);
    } else if (id == XLR_BLOCK_ID_TOPLEVEL_XID) {
      if (!in.take(into.toplevel_xid.emplace())) return cut_short(at);
    } else if (id <= XLR_MAX_BLOCK_ID) {
      // Ids only grow, so there are never more blocks than there is room for.
      const block_reference* before =
          into.block_count == 0 ? nullptr : &into.block_storage[into.block_count - 1];
      if (before != nullptr && id <= before->id)
        return corrupt(at, "block id {} follows block id {}", id, before->id);
      block_reference& block = into.block_storage[into.block_count];
      payload_lengths& lengths = sizes.blocks[into.block_count];
      lengths = {};
      block.id = id;
      ZENITH_TRY(read_block_header(in, at, before ? &before->relation : nullptr, block, lengths));
      sizes.total += size_t{lengths.image} + lengths.data;
      ++into.block_count;
    } else {
      return corrupt(at, "invalid block id {}", id);
    }
  }
  return {};
}

}  // namespace

const block_reference* record::block(uint8_t id) const {
  for (const block_reference& b : blocks())
    if (b.id == id) return &b;
  return nullptr;
}

result<void> decode_record(byte_view raw, lsn start, lsn end, record& into) {
  if (raw.size() < SizeOfXLogRecord)
    return corrupt(start, "{} bytes, a record's header alone has {}", raw.size(), SizeOfXLogRecord);
  const auto header = load<XLogRecord>(raw.data());
  if (header.xl_tot_len != raw.size())
    return corrupt(start, "it says that it has {} bytes, {} are there", header.xl_tot_len,
                   raw.size());
  if (!RmgrIdIsValid(header.xl_rmid))
    return corrupt(start, "unknown resource manager {}", header.xl_rmid);
  into.start = start;
  into.end = end;
  into.total_length_bytes = header.xl_tot_len;
  into.xid = header.xl_xid;
  into.previous = lsn{header.xl_prev};
  into.info = header.xl_info;
  into.rmgr = static_cast<resource_manager>(header.xl_rmid);
  into.origin.reset();
  into.toplevel_xid.reset();
  into.main_data = {};
  into.block_count = 0;

  announced sizes;
  header_reader in(raw.subspan(SizeOfXLogRecord));
  ZENITH_TRY(read_headers(in, into, sizes));
  byte_view payload = in.rest();
  if (payload.size() != sizes.total)
    return corrupt(start, "its headers announce {} bytes of data, {} are there", sizes.total,
                   payload.size());
  const auto take = [&payload](size_t length_bytes) {
    const byte_view part = payload.first(length_bytes);
    payload = payload.subspan(length_bytes);
    return part;
  };
  for (size_t i = 0; i < into.block_count; ++i) {
    block_reference& block = into.block_storage[i];
    if (block.has_image) block.image.data = take(sizes.blocks[i].image);
    if (block.has_data) block.data = take(sizes.blocks[i].data);
  }
  into.main_data = take(sizes.main_data);
  return {};
}

result<void> check_record_crc(byte_view raw, lsn start) {
  if (raw.size() < SizeOfXLogRecord)
    return corrupt(start, "{} bytes, a record's header alone has {}", raw.size(), SizeOfXLogRecord);
  const auto header = load<XLogRecord>(raw.data());
  if (header.xl_tot_len != raw.size())
    return corrupt(start, "it says that it has {} bytes, {} are there", header.xl_tot_len,
                   raw.size());
  uint32_t state = crc32c_feed(crc32c_start, raw.subspan(SizeOfXLogRecord));
  state = crc32c_feed(state, raw.first(offsetof(XLogRecord, xl_crc)));
  if (const uint32_t crc = crc32c_finish(state); crc != header.xl_crc)
    return corrupt(start, "its CRC is {:08X}, its bytes give {:08X}", header.xl_crc, crc);
  return {};
}

}  // namespace zenith::pg
