// Layer files of every kind and version, cut or changed: an error that names the file, or the same.
#include <gtest/gtest.h>

#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"
#include "tests/support/files.hpp"
#include "tests/support/golden_layers.hpp"
#include "tests/support/hostile_bytes.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::for_each_entry;
using zenith::testing::memory_file_system;
using zenith::testing::read_all;
using zenith::testing::sample_versions;

const path name = "/l/file";
constexpr lsn after{0x1000};
constexpr lsn last{0x9000};
const key last_key{key_kind::transaction_ends, ~0u, ~0u, ~0u, 3, ~0u};

bytes contents_of(file_system& files) {
  const auto opened = files.open(name, open_mode::read);
  bytes all(*(*opened)->size_bytes());
  EXPECT_TRUE((*opened)->read(0, all));
  return all;
}

void put(file_system& files, byte_view contents) {
  const auto opened = files.open(name, open_mode::create);
  ASSERT_TRUE((*opened)->resize(contents.size()));
  ASSERT_TRUE((*opened)->write(0, contents));
}

/// Everything that a file gives: by a cursor, by key, by list and by time. `expected`: what it has
/// to be where there is no error. Gives whether there was one.
template <class Layer>
bool expect_same_or_refused(const result<std::shared_ptr<const Layer>>& opened,
                            const sample_versions& expected) {
  bool refused = false;
  const auto check = [&](const auto& outcome) {
    if (outcome) return true;
    refused = true;
    EXPECT_EQ(outcome.error().code, errc::corrupt) << outcome.error().message;
    EXPECT_NE(outcome.error().message.find(name.string()), std::string::npos)
        << outcome.error().message;
    return false;
  };
  if (!check(opened)) return true;
  const Layer& layer = **opened;
  const auto found = read_all(*layer.cursor(key{}, last_key, lsn::max()));
  if (check(found)) EXPECT_TRUE(*found == expected);
  size_t listed = 0;
  const auto each = [&](const key& k) {
    ++listed;
    EXPECT_TRUE(expected.contains(k));
  };
  check(layer.list(key{}, last_key, lsn::max(), each));
  for (const auto& [k, versions] : expected) {
    key_history history;
    if (check(layer.collect(k, {}, lsn::max(), history)))
      EXPECT_EQ(history.newest, versions.begin()->first);
  }
  check(layer.first_later_than(0, last));
  check(layer.newest_time(last));
  return refused;
}

class hostile_files : public ::testing::Test {
 protected:
  hostile_files() { EXPECT_TRUE(files_.create_directories("/l")); }

  result<std::shared_ptr<const image_layer>> open_image() {
    return image_layer::open(files_, name, 100'000);
  }
  result<std::shared_ptr<const delta_layer>> open_delta() {
    cache_ = std::make_unique<block_cache>(100'000);
    return delta_layer::open(files_, name, *cache_, block_file_reader::new_cache_file());
  }
  template <class Open>
  void expect_no_damage_passes(const Open& open, const sample_versions& expected) {
    const bytes valid = contents_of(files_);
    ASSERT_FALSE(expect_same_or_refused(open(), expected));
    testing::for_each_prefix(valid, [&](byte_view cut) {
      put(files_, cut);
      EXPECT_EQ(open().error().code, errc::corrupt) << cut.size();
    });
    testing::for_each_flip(valid, [&](byte_view changed) {
      put(files_, changed);
      EXPECT_TRUE(expect_same_or_refused(open(), expected))
          << "byte " << std::ranges::mismatch(valid, changed).in1 - valid.begin();
    });
  }

  memory_file_system files_;
  std::unique_ptr<block_cache> cache_;
};

/// A few of the golden versions: every kind of key and version.
sample_versions few_versions() {
  sample_versions few;
  for (const auto& [k, versions] : testing::golden_versions()) {
    if (k.kind == key_kind::relation_block && k.d > 110 && k.d != ~0u) continue;
    for (const auto& [at, v] : versions)
      if (v.data.size() < 100 && few[k].size() < 12) few[k][at] = v;
    if (few[k].empty()) few.erase(k);
  }
  return few;
}

sample_versions image_versions() {
  sample_versions all;
  for (const auto& [k, data] : testing::golden_image())
    if (k.kind != key_kind::relation_block && (k.kind != key_kind::slru_page || k.d < 40))
      all[k][last] = {version_kind::value, data, {}, {}, {}};
  return all;
}

TEST_F(hostile_files, no_damage_of_a_delta_layer_passes) {
  const auto few = few_versions();
  auto out = delta_writer::create(files_, name, testing::golden_delta_name, after, last, 3,
                                  block_file_sizes{300, 100});
  ASSERT_TRUE(out) << out.error().message;
  for_each_entry(few, [&](const version_entry& e) { ASSERT_TRUE(out->add(e)); });
  ASSERT_TRUE(out->finish());
  EXPECT_GE((*open_delta())->file().index_levels(), 2u);
  expect_no_damage_passes([&] { return open_delta(); }, few);
}

TEST_F(hostile_files, no_damage_of_a_delta_layer_packed_by_lz4_passes) {
  const auto few = few_versions();
  auto out = delta_writer::create(files_, name, testing::golden_delta_name, after, last,
                                  block_file_writer::lz4_level, block_file_sizes{300, 100});
  ASSERT_TRUE(out) << out.error().message;
  for_each_entry(few, [&](const version_entry& e) { ASSERT_TRUE(out->add(e)); });
  ASSERT_TRUE(out->finish());
  const bytes file = contents_of(files_);
  const auto first = load<block_header>(file.data() + sizeof(block_file_header));
  EXPECT_EQ(first.compression, compression_lz4);
  EXPECT_LT(first.stored_bytes, first.unpacked_bytes);
  expect_no_damage_passes([&] { return open_delta(); }, few);
}

TEST_F(hostile_files, no_damage_of_an_image_passes) {
  const auto all = image_versions();
  auto out = image_writer::create(files_, name, last, 3, block_file_sizes{200, 80});
  ASSERT_TRUE(out) << out.error().message;
  for_each_entry(all, [&](const version_entry& e) { ASSERT_TRUE(out->add(e.k, e.data)); });
  ASSERT_TRUE(out->finish());
  EXPECT_GE((*open_image())->file().index_levels(), 2u);
  expect_no_damage_passes([&] { return open_image(); }, all);
}

/// Version 2 without filters and with one level of index is version 1, but for its number.
TEST_F(hostile_files, no_damage_of_an_image_of_version_1_passes) {
  const auto all = image_versions();
  const block_file_description description{block_file_content::image_layer, encoded_key_size_bytes,
                                           last, last, 0};
  auto out =
      block_file_writer::create(files_, name, description, 3, block_file_sizes{500, 1 << 20});
  ASSERT_TRUE(out) << out.error().message;
  for_each_entry(all, [&](const version_entry& e) { ASSERT_TRUE(out->add(encode(e.k), e.data)); });
  ASSERT_TRUE(out->finish());
  bytes file = contents_of(files_);
  store(file.data() + 8, uint32_t{1});
  store(file.data() + 4, crc32c(byte_view(file).subspan(8, 56)));
  put(files_, file);
  EXPECT_EQ((*open_image())->file().format_version(), 1u);
  expect_no_damage_passes([&] { return open_image(); }, all);
}

/// Of the golden files some bytes, or all of them where all tests run.
TEST_F(hostile_files, no_damage_of_a_golden_file_passes) {
  const path folder = path(ZENITH_SOURCE_DIR) / "tests/golden/layers";
  sample_versions image;
  for (const auto& [k, data] : testing::golden_image())
    image[k][last] = {version_kind::value, data, {}, {}, {}};
  const size_t step = testing::full_test_level() ? 1 : 211;
  const std::map<std::string, sample_versions> all{
      {"image-1.image", image},
      {"image-2.image", image},
      {"delta-2.delta", testing::golden_versions()},
      {"delta-2-lz4.delta", testing::golden_flushed_versions()},
      {"ends-2.delta", testing::golden_ends()}};
  for (const auto& [file, expected] : all) {
    SCOPED_TRACE(file);
    bytes contents = testing::read_file(folder / file);
    for (size_t i = 0; i < contents.size(); i += step) {
      contents[i] ^= std::byte{0x20};
      put(files_, contents);
      const bool refused = file.ends_with(".delta")
                               ? expect_same_or_refused(open_delta(), expected)
                               : expect_same_or_refused(open_image(), expected);
      EXPECT_TRUE(refused) << "byte " << i;
      contents[i] ^= std::byte{0x20};
    }
  }
}

}  // namespace
}  // namespace zenith::layers
