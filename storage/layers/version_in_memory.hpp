// version_in_memory: how versions of a memory layer lie in its arena.
#pragma once

#include "storage/layers/layer.hpp"
#include "storage/layers/memory_layer.hpp"

namespace zenith::layers {

/// In front of a record's bytes. Where it ends is in the versions that name it.
struct memory_layer::stored_record {
  lsn start;
  uint32_t size_bytes;
  uint32_t is_short;  // 1: as files keep it (postgres/stored_record.hpp)

  byte_view data() const { return {reinterpret_cast<const std::byte*>(this + 1), size_bytes}; }
};
static_assert(sizeof(memory_layer::stored_record) == 16);

/// In front of a value's bytes.
struct stored_value {
  uint64_t size_bytes;

  byte_view data() const { return {reinterpret_cast<const std::byte*>(this + 1), size_bytes}; }
};

struct stored_copy {
  key source;
  lsn source_at;
};

template <class Stored>
const Stored& stored_as(const version& v) {
  return *reinterpret_cast<const Stored*>(v.data());
}

}  // namespace zenith::layers
