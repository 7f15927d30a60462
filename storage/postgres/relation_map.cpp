// Reading pg_filenode.map with every check that PostgreSQL makes.
#include "storage/postgres/relation_map.hpp"

#include <fmt/format.h>

namespace zenith::pg {
namespace {

constexpr int32_t magic = 0x592717;   // RELMAPPER_FILEMAGIC
constexpr int32_t max_mappings = 62;  // MAX_MAPPINGS
constexpr size_t mappings_at = 8;
constexpr size_t crc_at = mappings_at + max_mappings * sizeof(relation_mapping);
static_assert(crc_at == 504 && sizeof(relation_mapping) == 8);

}  // namespace

// relmapper.c, read_relmap_file.
result<std::vector<relation_mapping>> decode_relation_map(byte_view stored) {
  if (stored.size() != relation_map_size_bytes)
    return fail(errc::corrupt, fmt::format("relation map: {} bytes, expected {}", stored.size(),
                                           relation_map_size_bytes));
  const auto found_magic = load<int32_t>(stored.data());
  const auto count = load<int32_t>(stored.data() + 4);
  if (found_magic != magic || count < 0 || count > max_mappings)
    return fail(errc::corrupt,
                fmt::format("relation map: magic {:X} and {} mappings, expected {:X} and at most "
                            "{}",
                            static_cast<uint32_t>(found_magic), count, magic, max_mappings));
  const uint32_t crc = crc32c(stored.first(crc_at));
  if (const auto found = load<uint32_t>(stored.data() + crc_at); found != crc)
    return fail(errc::corrupt,
                fmt::format("relation map: its CRC is {:08X}, its bytes give {:08X}", found, crc));
  std::vector<relation_mapping> mappings(static_cast<size_t>(count));
  for (size_t i = 0; i < mappings.size(); ++i)
    mappings[i] =
        load<relation_mapping>(stored.data() + mappings_at + i * sizeof(relation_mapping));
  return mappings;
}

}  // namespace zenith::pg
