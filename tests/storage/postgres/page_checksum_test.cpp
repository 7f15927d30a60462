// Page checksums against those that a real cluster wrote.
#include <gtest/gtest.h>

#include "storage/postgres/page_items.hpp"
#include "tests/support/files.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::pg {
namespace {

using zenith::testing::read_file;

TEST(page_checksum, is_what_a_cluster_with_checksums_has_on_its_pages) {
  zenith::testing::temporary_directory directory;
  zenith::testing::postgres_server server(directory, {.initdb = {"-k"}});
  const auto base = server.data() / "base" / "1";
  int pages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(base)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const bytes file = read_file(entry.path());
    for (uint32_t block = 0; block < file.size() / page_size_bytes; ++block, ++pages) {
      page p;
      std::memcpy(p.begin(), file.data() + block * page_size_bytes, page_size_bytes);
      if (page_is_new(p)) continue;
      const page before = p;
      EXPECT_EQ(page_checksum(p, block), load<uint16_t>(p.begin() + 8)) << name << " " << block;
      EXPECT_EQ(p.data, before.data);
      store<uint16_t>(p.begin() + 8, 0);
      set_page_checksum(p, block);
      EXPECT_EQ(p.data, before.data);
      EXPECT_NE(page_checksum(p, block + 1), page_checksum(p, block));
      EXPECT_TRUE(check_page_header(p)) << name << " " << block;
    }
  }
  EXPECT_GT(pages, 500);
}

}  // namespace
}  // namespace zenith::pg
