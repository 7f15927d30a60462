// index_tuple: how long an index tuple is (itup.h, IndexTupleData), for all index methods.
//
// Six bytes of a TID, then u16 t_info, whose low 13 bits are the tuple's size with this header.
#pragma once

#include <fmt/format.h>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::redo {

inline constexpr size_t index_tuple_header_size = 8;       // sizeof(IndexTupleData)
inline constexpr size_t index_tuple_info_at = 6;           // offsetof(IndexTupleData, t_info)
inline constexpr uint16_t index_tuple_size_mask = 0x1FFF;  // INDEX_SIZE_MASK

inline size_t maxalign(size_t size) { return (size + 7) & ~size_t{7}; }

/// The tuple that these bytes begin with, without what follows it. Error: corrupt.
inline result<byte_view> front_index_tuple(byte_view bytes) {
  if (bytes.size() < index_tuple_header_size)
    return fail(errc::corrupt, fmt::format("an index tuple needs {} bytes, {} are there",
                                           index_tuple_header_size, bytes.size()));
  const size_t size = load<uint16_t>(bytes.data() + index_tuple_info_at) & index_tuple_size_mask;
  if (size < index_tuple_header_size || size > bytes.size())
    return fail(errc::corrupt, fmt::format("an index tuple says that it has {} bytes, {} are there",
                                           size, bytes.size()));
  return bytes.first(size);
}

}  // namespace zenith::redo
