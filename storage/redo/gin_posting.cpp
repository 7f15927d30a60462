// Gin redo of a posting tree's leaf: segments of compressed TIDs (ginxlog.c, ginpostinglist.c).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/gin_parts.hpp"
#include "storage/redo/record_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/ginblock.h>
#include <access/ginxlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo::gin {
namespace {

static_assert(GinDataPageMaxDataSize == max_data_size_bytes);

constexpr size_t tid_size_bytes = sizeof(ItemPointerData);
/// GinPostingList's first TID and its count of bytes; the bytes follow, to an even size.
constexpr size_t segment_header_size = tid_size_bytes + sizeof(uint16_t);
constexpr unsigned offset_bits = 11;  // MaxHeapTuplesPerPageBits

size_t short_align(size_t size) { return (size + 1) & ~size_t{1}; }

/// itemptr_to_uint64: a TID as the number that segments hold.
uint64_t number_of(const std::byte* tid) {
  const auto item = load<ItemPointerData>(tid);
  const uint64_t block = uint64_t{item.ip_blkid.bi_hi} << 16 | item.ip_blkid.bi_lo;
  return block << offset_bits | item.ip_posid;
}
ItemPointerData tid_of(uint64_t number) {
  const auto block = number >> offset_bits;
  return {.ip_blkid = {static_cast<uint16_t>(block >> 16), static_cast<uint16_t>(block)},
          .ip_posid = static_cast<uint16_t>(number & ((1u << offset_bits) - 1))};
}

/// The segment that these bytes begin with.
result<byte_view> front_segment(byte_view from) {
  if (from.size() < segment_header_size)
    return fail(errc::corrupt, fmt::format("a posting list segment needs {} bytes, {} are left",
                                           segment_header_size, from.size()));
  const size_t size =
      segment_header_size + short_align(load<uint16_t>(from.data() + tid_size_bytes));
  if (size > from.size())
    return fail(errc::corrupt,
                fmt::format("a posting list segment has {} bytes, {} are left", size, from.size()));
  return from.first(size);
}

/// TIDs in order, as numbers. Each takes a byte at least where it is stored, which bounds them.
class tid_list {
 public:
  static constexpr size_t capacity = page_size_bytes;

  size_t size() const { return size_; }
  uint64_t operator[](size_t i) const { return values_[i]; }
  std::span<const uint64_t> values() const { return {values_.data(), size_}; }
  result<void> add(uint64_t value) {
    if (size_ == capacity) return fail(errc::corrupt, "a posting list has more TIDs than a page");
    values_[size_++] = value;
    return {};
  }

 private:
  size_t size_ = 0;
  std::array<uint64_t, capacity> values_;
};

/// ginPostingListDecode, one segment.
result<void> decode(byte_view segment, tid_list& into) {
  const size_t end = segment_header_size + load<uint16_t>(segment.data() + tid_size_bytes);
  uint64_t value = number_of(segment.data());
  ZENITH_TRY(into.add(value));
  for (size_t at = segment_header_size; at < end;) {
    uint64_t delta = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (at == end || shift > 42)
        return fail(errc::corrupt, "a number in a posting list does not end");
      const auto byte = std::to_integer<uint64_t>(segment[at++]);
      delta |= (byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) break;
    }
    value += delta;
    ZENITH_TRY(into.add(value));
  }
  return {};
}

/// What the leaf's posting lists become.
class leaf_writer {
 public:
  byte_view written() const { return {data_.data(), size_}; }

  result<void> add(byte_view segment) {
    if (segment.size() > data_.size() - size_)
      return fail(errc::corrupt, "posting lists do not fit their page");
    std::memcpy(data_.data() + size_, segment.data(), segment.size());
    size_ += segment.size();
    return {};
  }

  /// ginCompressPostingList: all of these, more than none, as one segment.
  result<void> add_compressed(std::span<const uint64_t> values) {
    std::array<std::byte, segment_header_size> header;
    store(header.data(), tid_of(values[0]));
    const size_t start = size_;
    ZENITH_TRY(add(header));
    for (size_t i = 1; i < values.size(); ++i) {
      if (values[i] <= values[i - 1])
        return fail(errc::corrupt, "the TIDs of a posting list are not in order");
      ZENITH_TRY(add_number(values[i] - values[i - 1]));
    }
    const size_t used = size_ - start - segment_header_size;
    store(data_.data() + start + tid_size_bytes, static_cast<uint16_t>(used));
    constexpr std::array padding{std::byte{0}};
    return used % 2 != 0 ? add(padding) : result<void>{};
  }

 private:
  result<void> add_number(uint64_t value) {
    std::array<std::byte, 10> encoded;
    size_t length = 0;
    for (; value > 0x7F; value >>= 7) encoded[length++] = static_cast<std::byte>(value | 0x80);
    encoded[length++] = static_cast<std::byte>(value);
    return add(byte_view{encoded}.first(length));
  }

  size_t size_ = 0;
  std::array<std::byte, max_data_size_bytes> data_;
};

/// GIN_SEGMENT_ADDITEMS: an old segment with more TIDs in it.
result<void> add_items(byte_view segment, byte_view items, leaf_writer& out) {
  tid_list old_values;
  tid_list fresh;
  tid_list merged;
  ZENITH_TRY(decode(segment, old_values));
  for (size_t at = 0; at < items.size(); at += tid_size_bytes)
    ZENITH_TRY(fresh.add(number_of(items.data() + at)));
  for (size_t i = 0, j = 0; i < old_values.size() || j < fresh.size();) {
    const bool take_old = j == fresh.size() || (i < old_values.size() && old_values[i] <= fresh[j]);
    // Of equal ones, one is kept (ginMergeItemPointers).
    if (take_old && j < fresh.size() && old_values[i] == fresh[j]) ++j;
    ZENITH_TRY(merged.add(take_old ? old_values[i++] : fresh[j++]));
  }
  return out.add_compressed(merged.values());
}

/// One action of a record: what it does to the segment that is next.
struct segment_action {
  uint8_t number = 0;
  uint8_t type = 0;
  byte_view segment;  ///< GIN_SEGMENT_INSERT and REPLACE
  byte_view items;    ///< GIN_SEGMENT_ADDITEMS
};

result<segment_action> read_action(record_reader& reader) {
  segment_action action;
  ZENITH_TRY_ASSIGN(action.number, reader.take<uint8_t>());
  ZENITH_TRY_ASSIGN(action.type, reader.take<uint8_t>());
  switch (action.type) {
    case GIN_SEGMENT_DELETE:
      return action;
    case GIN_SEGMENT_INSERT:
    case GIN_SEGMENT_REPLACE: {
      ZENITH_TRY_ASSIGN(const auto segment, front_segment(reader.rest()));
      ZENITH_TRY_ASSIGN(action.segment, reader.take(segment.size()));
      return action;
    }
    case GIN_SEGMENT_ADDITEMS: {
      ZENITH_TRY_ASSIGN(const auto count, reader.take<uint16_t>());
      ZENITH_TRY_ASSIGN(action.items, reader.take(count * tid_size_bytes));
      return action;
    }
    default:
      return fail(errc::corrupt,
                  fmt::format("unexpected action {} on a posting list segment", action.type));
  }
}

result<void> change_segments(byte_view old_segments, byte_view changes, leaf_writer& out) {
  record_reader old(old_segments);
  record_reader reader(changes);
  const auto take_segment = [&old]() -> result<byte_view> {
    ZENITH_TRY_ASSIGN(const auto segment, front_segment(old.rest()));
    return old.take(segment.size());
  };
  ZENITH_TRY_ASSIGN(const auto action_count, reader.take<uint16_t>());
  unsigned number = 0;
  for (unsigned i = 0; i < action_count; ++i) {
    ZENITH_TRY_ASSIGN(const auto action, read_action(reader));
    if (action.number < number)
      return fail(errc::corrupt,
                  fmt::format("segment {} is changed after segment {}", action.number, number));
    for (; number < action.number; ++number) {
      ZENITH_TRY_ASSIGN(const auto segment, take_segment());
      ZENITH_TRY(out.add(segment));
    }
    if (action.type == GIN_SEGMENT_INSERT) {
      ZENITH_TRY(out.add(action.segment));
      continue;
    }
    ZENITH_TRY_ASSIGN(const auto segment, take_segment());
    ++number;
    if (action.type == GIN_SEGMENT_REPLACE) ZENITH_TRY(out.add(action.segment));
    if (action.type == GIN_SEGMENT_ADDITEMS) ZENITH_TRY(add_items(segment, action.items, out));
  }
  return out.add(old.rest());
}

/// A leaf from before PostgreSQL 9.4, with plain TIDs, in the new form.
result<void> convert_to_compressed(page_links& links, page& p) {
  const size_t count = links.max_offset;
  if (count * tid_size_bytes > max_data_size_bytes)
    return fail(errc::corrupt, fmt::format("a page cannot hold {} TIDs", count));
  tid_list values;
  for (size_t i = 0; i < count; ++i)
    ZENITH_TRY(values.add(number_of(p.begin() + data_start + i * tid_size_bytes)));
  leaf_writer out;
  if (count > 0) ZENITH_TRY(out.add_compressed(values.values()));
  std::memcpy(p.begin() + data_start, out.written().data(), out.written().size());
  set_data_size(p, out.written().size());
  links.flags |= GIN_COMPRESSED;
  links.max_offset = 0;
  return {};
}

}  // namespace

result<void> recompress(byte_view changes, page& p) {
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  if ((links->flags & GIN_LEAF) == 0 || (links->flags & GIN_DATA) == 0)
    return fail(errc::corrupt,
                fmt::format("not the leaf of a posting tree: its flags are {:#x}", links->flags));
  if ((links->flags & GIN_COMPRESSED) == 0) ZENITH_TRY(convert_to_compressed(*links, p));
  const size_t lower = pg::page_lower(p);
  if (lower < data_start || lower > data_start + max_data_size_bytes)
    return fail(errc::corrupt, fmt::format("the posting lists of the page end at {}", lower));
  leaf_writer out;
  ZENITH_TRY(change_segments(p.view().subspan(data_start, lower - data_start), changes, out));
  // What lies behind the new end stays as it was, as it does in PostgreSQL.
  std::memcpy(p.begin() + data_start, out.written().data(), out.written().size());
  set_data_size(p, out.written().size());
  return {};
}

}  // namespace zenith::redo::gin
