// Taking an entry's value of a delta layer apart, every size checked.
#include "storage/layers/stored_version.hpp"

#include <fmt/format.h>

namespace zenith::layers {

result<void> decode_version(lsn at, byte_view value, stored_version& into) {
  const auto has = [&](size_t expected) -> result<void> {
    if (value.size() == expected) return {};
    return fail(errc::corrupt, fmt::format("a version at {} has {} bytes, expected {}",
                                           to_string(at), value.size(), expected));
  };
  if (value.empty()) return has(1);
  into = {};
  into.kind = static_cast<version_kind>(value[0]);
  switch (into.kind) {
    case version_kind::changes:
    case version_kind::initialises: {
      constexpr size_t before = 1 + sizeof(uint32_t);
      if (value.size() < before) return has(before);
      const auto size = load<uint32_t>(value.data() + 1);
      if (size == 0 || size >= at.value())
        return fail(errc::corrupt,
                    fmt::format("a record that ends at {} is said to have {} bytes of WAL",
                                to_string(at), size));
      into.record_start = at - size;
      into.data = value.subspan(before);
      return {};
    }
    case version_kind::value:
      into.data = value.subspan(1);
      return {};
    case version_kind::absent:
      return has(1);
    case version_kind::copy: {
      ZENITH_TRY(has(1 + encoded_key_size_bytes + sizeof(uint64_t)));
      ZENITH_TRY_ASSIGN(into.source, decode_key(value.subspan(1, encoded_key_size_bytes)));
      into.source_at = lsn{load<uint64_t>(value.data() + 1 + encoded_key_size_bytes)};
      return {};
    }
  }
  return fail(errc::corrupt, fmt::format("a version at {} is of kind {}, expected 0..4",
                                         to_string(at), static_cast<int>(into.kind)));
}

result<void> add_to_history(lsn at, const stored_version& version, key_history& history) {
  switch (version.kind) {
    case version_kind::changes:
      return history.add({version.record_start, at, version.data});
    case version_kind::initialises:
      ZENITH_TRY(history.add({version.record_start, at, version.data}));
      history.end_with_zeros();
      return {};
    case version_kind::value:
      history.end_with_value(at, version.data);
      return {};
    case version_kind::absent:
      history.end_with_absence(at);
      return {};
    case version_kind::copy:
      history.end_with_copy(at, version.source, version.source_at);
      return {};
  }
  return {};
}

}  // namespace zenith::layers
