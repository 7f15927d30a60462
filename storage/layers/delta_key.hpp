// delta_key: the keys of a delta layer's entries, as delta_layer.hpp specifies them.
#pragma once

#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::layers {

inline constexpr size_t delta_key_size_bytes = encoded_key_size_bytes + sizeof(uint64_t);
using delta_key = std::array<std::byte, delta_key_size_bytes>;

/// The key of the newest version of k at or before an LSN, where that is one of k.
inline delta_key encode_delta_key(const encoded_key& k, lsn at) {
  delta_key encoded;
  std::ranges::copy(k, encoded.begin());
  store_big_endian(encoded.data() + encoded_key_size_bytes, ~at.value());
  return encoded;
}
/// Of 26 bytes.
inline lsn lsn_of_delta_key(byte_view encoded) {
  return lsn{~load_big_endian<uint64_t>(encoded.data() + encoded_key_size_bytes)};
}

}  // namespace zenith::layers
