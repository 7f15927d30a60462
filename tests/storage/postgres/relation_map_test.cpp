// Relation maps: a real one is read, damaged ones are refused.
#include "storage/postgres/relation_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/files.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::pg {
namespace {

bool contains(const std::vector<relation_mapping>& mappings, const relation_mapping& one) {
  return std::ranges::find(mappings, one) != mappings.end();
}

TEST(relation_map, of_a_real_cluster_gives_the_catalogs_and_is_refused_when_damaged) {
  zenith::testing::temporary_directory directory;
  zenith::testing::postgres_server server(directory, {.initdb = {}});
  const bytes global = zenith::testing::read_file(server.data() / "global" / "pg_filenode.map");
  const bytes local = zenith::testing::read_file(server.data() / "base" / "1" / "pg_filenode.map");
  const auto shared = decode_relation_map(global);
  ASSERT_TRUE(shared) << shared.error().message;
  EXPECT_TRUE(contains(*shared, relation_mapping{1262, 1262})) << "pg_database";
  const auto mapped = decode_relation_map(local);
  ASSERT_TRUE(mapped) << mapped.error().message;
  EXPECT_TRUE(contains(*mapped, relation_mapping{1259, 1259})) << "pg_class";

  for (size_t at = 0; at < 508; ++at) {
    bytes changed = local;
    changed[at] ^= std::byte{0x40};
    EXPECT_FALSE(decode_relation_map(changed)) << at;
  }
  for (const size_t length : {0u, 4u, 8u, 504u, 511u})
    EXPECT_FALSE(decode_relation_map(byte_view(local).first(length)));
  bytes many = local;
  store<int32_t>(many.data() + 4, 63);
  store(many.data() + 504, crc32c(byte_view(many).first(504)));
  EXPECT_EQ(decode_relation_map(many).error().message,
            "relation map: magic 592717 and 63 mappings, expected 592717 and at most 62");
}

}  // namespace
}  // namespace zenith::pg
