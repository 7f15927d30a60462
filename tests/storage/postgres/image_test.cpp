// Full-page images put back: every compression, with and without a hole, and damaged ones refused.
#include <gtest/gtest.h>
#include <lz4.h>
#include <zstd.h>

#include "storage/postgres/record.hpp"

extern "C" {
#include <postgres.h>
// After postgres.h.
#include <common/pg_lzcompress.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

constexpr uint16_t hole_at = 320;
constexpr uint16_t hole_bytes = 5000;
constexpr uint8_t has_hole = 0x01, pglz = 0x04, lz4 = 0x08, zstd = 0x10;

// A page that compresses well, with zeros where the hole is.
page sample_page(bool with_hole) {
  page p;
  for (size_t i = 0; i < page_size_bytes; ++i)
    p.data[i] = static_cast<std::byte>(i % 61 < 40 ? 0x41 : i / 7);
  if (with_hole) std::memset(p.begin() + hole_at, 0, hole_bytes);
  return p;
}

bytes without_hole(const page& p, bool with_hole) {
  bytes out(p.data.begin(), p.data.end());
  if (with_hole) out.erase(out.begin() + hole_at, out.begin() + hole_at + hole_bytes);
  return out;
}

bytes compress(const bytes& plain, uint8_t method) {
  if (method == 0) return plain;
  bytes out(2 * page_size_bytes);
  const auto* from = reinterpret_cast<const char*>(plain.data());
  auto* to = reinterpret_cast<char*>(out.data());
  const int length = static_cast<int>(plain.size());
  int got = 0;
  if (method == pglz) got = pglz_compress(from, length, to, PGLZ_strategy_default);
  if (method == lz4) got = LZ4_compress_default(from, to, length, static_cast<int>(out.size()));
  if (method == zstd)
    got = static_cast<int>(ZSTD_compress(to, out.size(), from, plain.size(), ZSTD_CLEVEL_DEFAULT));
  EXPECT_GT(got, 0);
  out.resize(static_cast<size_t>(got));
  return out;
}

block_reference reference(const bytes& data, uint8_t method, bool with_hole) {
  block_reference b;
  b.has_image = true;
  b.image.data = data;
  b.image.info = static_cast<uint8_t>(method | (with_hole ? has_hole : 0));
  if (with_hole) {
    b.image.hole_offset = hole_at;
    b.image.hole_length = hole_bytes;
  }
  return b;
}

page dirty_page() {
  page p;
  p.data.fill(std::byte{0xEE});
  return p;
}

TEST(image, is_restored_from_every_compression_with_and_without_a_hole) {
  for (const uint8_t method : {uint8_t{0}, pglz, lz4, zstd}) {
    for (const bool with_hole : {false, true}) {
      const page expected = sample_page(with_hole);
      const bytes data = compress(without_hole(expected, with_hole), method);
      page p = dirty_page();
      const auto done = restore_image(reference(data, method, with_hole), lsn{0x100}, p);
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_EQ(p.data, expected.data) << int{method} << with_hole;
    }
  }
}

TEST(image, that_is_cut_or_too_long_is_refused) {
  for (const uint8_t method : {pglz, lz4, zstd}) {
    const bytes data = compress(without_hole(sample_page(true), true), method);
    page p = dirty_page();
    for (size_t length = 0; length < data.size(); ++length) {
      const bytes cut(data.begin(), data.begin() + static_cast<ptrdiff_t>(length));
      EXPECT_FALSE(restore_image(reference(cut, method, true), lsn{0x100}, p))
          << int{method} << " " << length;
    }
    // The whole page where a page without its hole is expected.
    const bytes longer = compress(without_hole(sample_page(false), false), method);
    EXPECT_FALSE(restore_image(reference(longer, method, true), lsn{0x100}, p)) << int{method};
  }
}

TEST(image, with_any_byte_changed_never_leaves_the_page) {
  for (const uint8_t method : {pglz, lz4, zstd}) {
    const bytes data = compress(without_hole(sample_page(true), true), method);
    for (size_t at = 0; at < data.size(); ++at) {
      bytes changed = data;
      changed[at] ^= std::byte{0xFF};
      std::array<page, 3> pages{dirty_page(), dirty_page(), dirty_page()};
      std::ignore = restore_image(reference(changed, method, true), lsn{0x100}, pages[1]);
      EXPECT_EQ(pages[0].data, dirty_page().data);
      EXPECT_EQ(pages[2].data, dirty_page().data);
    }
  }
}

TEST(image, that_shorter_data_would_fill_is_refused_and_says_by_how_much) {
  const bytes data = compress(bytes(1000), zstd);
  page p;
  const auto done = restore_image(reference(data, zstd, true), lsn{0x100}, p);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message,
            "WAL record at 0/100: image of block 0 (0/0/0 main block 0): zstd gives 1000 bytes, "
            "expected 3192");
}

}  // namespace
}  // namespace zenith::pg
