// Layer files that were written once, in every version of their formats, are read for ever.
#include <gtest/gtest.h>

#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"
#include "tests/support/files.hpp"
#include "tests/support/golden_layers.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::testing {
namespace {

using layers::block_cache;
using layers::block_file_reader;

const path folder = path(ZENITH_SOURCE_DIR) / "tests/golden/layers";
const key last_key{key_kind::transaction_ends, ~0u, ~0u, ~0u, 3, ~0u};

std::map<key, bytes> all_of(const layers::image_layer& image) {
  std::map<key, bytes> all;
  const auto found = read_all(*image.cursor(key{}, last_key, lsn::max()));
  EXPECT_TRUE(found) << found.error().message;
  for (const auto& [k, versions] : found.value_or(sample_versions{}))
    all[k] = versions.at(golden_last).data;
  return all;
}

void expect_golden(const layers::image_layer& image) {
  EXPECT_EQ(image.at(), golden_last);
  EXPECT_TRUE(all_of(image) == golden_image());
  for (const auto& [k, data] : golden_image()) {
    layers::key_history found;
    ASSERT_TRUE(image.collect(k, {}, lsn::max(), found));
    EXPECT_TRUE(std::ranges::equal(found.value, data)) << to_string(k);
  }
}

void expect_golden(const layers::delta_layer& delta, const sample_versions& expected) {
  const auto found = read_all(*delta.cursor(key{}, last_key, lsn::max()));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(*found == expected);
  for (const auto& [k, versions] : expected) {
    for (const auto& [at, version] : versions) {
      layers::key_history history;
      ASSERT_TRUE(delta.collect(k, {}, at, history));
      EXPECT_EQ(history.newest, at) << to_string(k);
    }
  }
  EXPECT_EQ(delta.newest_time(golden_last).value(), 28'999'500);
  EXPECT_EQ(delta.first_later_than(14'000'000, golden_last).value()->time_us, 14'999'500);
}

/// How many data blocks of a file are packed in which way.
std::map<uint32_t, size_t> packings_of(file_system& files, const path& name,
                                       const layers::delta_layer& delta) {
  std::map<uint32_t, size_t> packings;
  const auto opened = files.open(name, open_mode::read);
  const size_t key_size = delta.file().description().key_size_bytes;
  const auto visited =
      delta.file().visit(bytes(key_size), bytes(key_size, std::byte{0xFF}), [&](const auto& block) {
        bytes header(sizeof(layers::block_header));
        EXPECT_TRUE((*opened)->read(block.place.offset, header));
        if (block.height == 0) ++packings[load<layers::block_header>(header.data()).compression];
        return true;
      });
  EXPECT_TRUE(visited) << visited.error().message;
  return packings;
}

TEST(layer_formats, an_image_of_version_1_is_read) {
  const auto image = layers::image_layer::open(posix_file_system(), folder / "image-1.image");
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ((*image)->file().format_version(), 1u);
  EXPECT_EQ((*image)->file().blocks(), 2u);
  expect_golden(**image);
}

TEST(layer_formats, an_image_of_version_2_is_read) {
  const auto image = layers::image_layer::open(posix_file_system(), folder / "image-2.image");
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ((*image)->file().format_version(), 2u);
  EXPECT_GE((*image)->file().index_levels(), 1u);
  expect_golden(**image);
}

TEST(layer_formats, a_delta_layer_of_version_2_is_read) {
  block_cache cache(size_t{1} << 20);
  const auto delta = layers::delta_layer::open(posix_file_system(), folder / "delta-2.delta", cache,
                                               block_file_reader::new_cache_file());
  ASSERT_TRUE(delta) << delta.error().message;
  EXPECT_EQ((*delta)->file().format_version(), 2u);
  EXPECT_GE((*delta)->file().index_levels(), 1u);
  EXPECT_EQ((*delta)->file().description().first, golden_after);
  EXPECT_EQ((*delta)->file().description().last, golden_last);
  expect_golden(**delta, golden_versions());
  EXPECT_EQ(packings_of(posix_file_system(), folder / "delta-2.delta", **delta),
            (std::map<uint32_t, size_t>{{1, 30}}));
}

// 2 says an LZ4 block, 0 bytes as they are.
TEST(layer_formats, a_delta_layer_packed_by_lz4_and_not_at_all_is_read) {
  block_cache cache(size_t{1} << 20);
  const path name = folder / "delta-2-lz4.delta";
  const auto delta = layers::delta_layer::open(posix_file_system(), name, cache,
                                               block_file_reader::new_cache_file());
  ASSERT_TRUE(delta) << delta.error().message;
  EXPECT_EQ((*delta)->file().format_version(), 2u);
  EXPECT_GE((*delta)->file().index_levels(), 1u);
  expect_golden(**delta, golden_flushed_versions());
  EXPECT_EQ(packings_of(posix_file_system(), name, **delta),
            (std::map<uint32_t, size_t>{{0, 3}, {2, 32}}));
}

TEST(layer_formats, transaction_ends_with_the_records_before_them_are_read) {
  block_cache cache(size_t{1} << 20);
  const auto delta = layers::delta_layer::open(posix_file_system(), folder / "ends-2.delta", cache,
                                               block_file_reader::new_cache_file());
  ASSERT_TRUE(delta) << delta.error().message;
  const auto found = read_all(*(*delta)->cursor(key{}, last_key, lsn::max()));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(*found == golden_ends());
  const auto unknown = (*delta)->first_later_than(0, golden_last).value();
  EXPECT_EQ(*unknown, (layers::transaction_end{999'500, golden_after + 800, golden_after + 834}));
  const auto later = (*delta)->first_later_than(300'999'500, golden_last).value();
  const lsn start = golden_after + 700 * 31 + 200;
  EXPECT_EQ(*later, (layers::transaction_end{301'999'500, start, start + 34, start - 24}));
}

/// Header, entries and order are the format's. Which entries share a block is the writer's choice,
/// readers take any; zstd and LZ4 may store the same otherwise.
TEST(layer_formats, what_is_written_today_is_the_same_format) {
  memory_file_system files;
  ASSERT_TRUE(files.create_directories("/l"));
  ASSERT_TRUE(write_golden_image(files, "/l/image"));
  ASSERT_TRUE(write_golden_delta(files, "/l/delta"));
  const auto image = layers::image_layer::open(files, "/l/image");
  ASSERT_TRUE(image) << image.error().message;
  expect_golden(**image);
  block_cache cache(size_t{1} << 20);
  const auto delta =
      layers::delta_layer::open(files, "/l/delta", cache, block_file_reader::new_cache_file());
  ASSERT_TRUE(delta) << delta.error().message;
  expect_golden(**delta, golden_versions());
  ASSERT_TRUE(write_golden_flushed(files, "/l/flushed"));
  const auto flushed =
      layers::delta_layer::open(files, "/l/flushed", cache, block_file_reader::new_cache_file());
  ASSERT_TRUE(flushed) << flushed.error().message;
  expect_golden(**flushed, golden_flushed_versions());
  const auto packings = packings_of(files, "/l/flushed", **flushed);
  EXPECT_EQ(packings.at(0), 3u);
  EXPECT_GE(packings.at(2), 20u);
  EXPECT_FALSE(packings.contains(1));

  const auto header_of = [](const bytes& file) { return bytes(file.begin(), file.begin() + 64); };
  const auto written_header = [&](const path& name) {
    const auto opened = files.open(name, open_mode::read);
    bytes header(64);
    EXPECT_TRUE((*opened)->read(0, header));
    return header;
  };
  EXPECT_EQ(written_header("/l/image"), header_of(read_file(folder / "image-2.image")));
  EXPECT_EQ(written_header("/l/delta"), header_of(read_file(folder / "delta-2.delta")));
  EXPECT_EQ(written_header("/l/flushed"), header_of(read_file(folder / "delta-2-lz4.delta")));
  ASSERT_TRUE(write_golden_ends(files, "/l/ends"));
  EXPECT_EQ(written_header("/l/ends"), header_of(read_file(folder / "ends-2.delta")));
  const auto golden = layers::delta_layer::open(posix_file_system(), folder / "delta-2.delta",
                                                cache, block_file_reader::new_cache_file());
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ((*delta)->file().index_levels(), (*golden)->file().index_levels());
  EXPECT_EQ((*delta)->file().entries(), (*golden)->file().entries());
}

}  // namespace
}  // namespace zenith::testing
