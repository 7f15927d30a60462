// listed_keys: what list() of a layer in a file goes through: all but blocks of relations.
#pragma once

#include <algorithm>

#include "storage/base/key.hpp"
#include "storage/base/result.hpp"

namespace zenith::layers {

/// Calls scan(from, to), both included, for the parts of a range in which no blocks lie: they are
/// by far the most entries, and are not listed.
template <class Scan>
result<void> for_listed_keys(const key& first, const key& last, const Scan& scan) {
  const key blocks_begin{key_kind::relation_block};
  const key before_blocks{
      key_kind::relation_size, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT8_MAX, UINT32_MAX};
  const key after_blocks{key_kind::configuration_file};
  if (first > last) return {};
  if (first < blocks_begin) ZENITH_TRY(scan(first, std::min(last, before_blocks)));
  if (last >= after_blocks) ZENITH_TRY(scan(std::max(first, after_blocks), last));
  return {};
}

}  // namespace zenith::layers
