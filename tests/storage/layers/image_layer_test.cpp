// image_layer: what is written is read again, and no damage passes for a value.
#include "storage/layers/image_layer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "tests/support/memory_file_system.hpp"

namespace zenith::layers {
namespace {

using state_kind = key_history::state_kind;
using zenith::testing::memory_file_system;

const relation_id table{1663, 5, 16384};
const path name = "/layers/base.image";
constexpr lsn at{0x2000028};

bytes random_bytes(std::mt19937& random, size_t size) {
  bytes value(size);
  for (auto& b : value) b = static_cast<std::byte>(random());
  return value;
}

/// Keys of all kinds: a few values, sizes, and blocks of which every other one does not compress.
std::map<key, bytes> sample_entries(block_number blocks) {
  std::mt19937 random(4711);
  std::map<key, bytes> entries;
  entries[key::control()] = random_bytes(random, 300);
  entries[key::next_oid()] = random_bytes(random, 4);
  entries[key::two_phase(5)] = random_bytes(random, 200'000);
  entries[key::two_phase(6)] = {};
  entries[key::slru(slru_kind::xact, 0)] = bytes(page_size_bytes);
  entries[key::size(table, fork_number::main)] = random_bytes(random, 8);
  for (block_number i = 0; i < blocks; ++i)
    entries[key::block(table, fork_number::main, 3 * i)] =
        i % 2 ? random_bytes(random, page_size_bytes) : bytes(page_size_bytes, std::byte(i));
  entries[key{key_kind::configuration_file, 1}] = random_bytes(random, 100);
  entries[key{key_kind::configuration_file, 2}] = random_bytes(random, 100);
  return entries;
}

class image_layer_test : public ::testing::Test {
 protected:
  image_layer_test() { EXPECT_TRUE(files_.create_directories(name.parent_path())); }

  result<uint64_t> write(const std::map<key, bytes>& entries, int level = 3) {
    ZENITH_TRY_ASSIGN(auto writer, image_writer::create(files_, name, at, level));
    for (const auto& [k, value] : entries) ZENITH_TRY(writer.add(k, value));
    return writer.finish();
  }
  std::shared_ptr<const image_layer> open(size_t cache_bytes = 200'000) {
    auto opened = image_layer::open(files_, name, cache_bytes);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened.value_or(nullptr);
  }
  void change_byte(uint64_t offset, std::byte by) {
    auto file = files_.open(name, open_mode::write);
    ASSERT_TRUE(file);
    std::array<std::byte, 1> one{};
    ASSERT_TRUE((*file)->read(offset, one));
    one[0] ^= by;
    ASSERT_TRUE((*file)->write(offset, one));
  }

  memory_file_system files_;
};

result<key_history> history_of(const layer& from, const key& k, lsn after = {},
                               lsn until = lsn::max()) {
  key_history history;
  ZENITH_TRY(from.collect(k, after, until, history));
  return history;
}

std::vector<key> listed(const layer& from, const key& first, const key& last) {
  std::vector<key> keys;
  EXPECT_TRUE(from.list(first, last, at, [&](const key& k) { keys.push_back(k); }));
  return keys;
}

TEST_F(image_layer_test, gives_every_value_that_was_added_and_no_other) {
  const auto entries = sample_entries(100);
  for (const int level : {-7, -1, 0, 1, 9}) {
    for (const size_t cache : {0, 200'000, 100'000'000}) {
      ASSERT_TRUE(files_.remove_all(name.parent_path()));
      ASSERT_TRUE(files_.create_directories(name.parent_path()));
      ASSERT_TRUE(write(entries, level));
      const auto image = open(cache);
      EXPECT_EQ(image->at(), at);
      EXPECT_EQ(image->entries(), entries.size());
      for (const auto& [k, value] : entries) {
        const auto history = history_of(*image, k);
        ASSERT_TRUE(history) << history.error().message;
        EXPECT_EQ(history->state, state_kind::value) << to_string(k);
        EXPECT_TRUE(std::ranges::equal(history->value, value)) << to_string(k);
      }
      for (const key& k :
           {key::next_full_xid(), key::block(table, fork_number::main, 1),
            key::block(table, fork_number::vm, 0), key{key_kind::configuration_file, 3}, key{}})
        EXPECT_FALSE(history_of(*image, k)->found()) << to_string(k);
    }
  }
}

TEST_F(image_layer_test, its_values_count_from_its_lsn_on) {
  ASSERT_TRUE(write(sample_entries(1)));
  const auto image = open();
  EXPECT_TRUE(history_of(*image, key::control(), at - 1, at)->found());
  EXPECT_FALSE(history_of(*image, key::control(), lsn{}, at - 1)->found());
  EXPECT_FALSE(history_of(*image, key::control(), at, lsn::max())->found());
}

TEST_F(image_layer_test, lists_keys_in_order_and_passes_over_blocks) {
  const auto entries = sample_entries(50);
  ASSERT_TRUE(write(entries));
  const auto image = open();
  std::vector<key> expected;
  for (const auto& [k, value] : entries)
    if (k.kind != key_kind::relation_block) expected.push_back(k);
  EXPECT_EQ(listed(*image, key{}, key{key_kind::configuration_file, UINT32_MAX}), expected);
  EXPECT_EQ(listed(*image, key::two_phase(6), key::size(table, fork_number::main)),
            (std::vector<key>{key::two_phase(6), key::slru(slru_kind::xact, 0),
                              key::size(table, fork_number::main)}));
  EXPECT_EQ(listed(*image, key::two_phase(7), key::two_phase(6)), std::vector<key>{});
  EXPECT_EQ(listed(*image, key::two_phase(7), key::two_phase(8)), std::vector<key>{});
}

TEST_F(image_layer_test, an_image_of_nothing_is_one) {
  ASSERT_TRUE(write({}));
  const auto image = open();
  EXPECT_FALSE(history_of(*image, key::control())->found());
  EXPECT_EQ(listed(*image, key{}, key{key_kind::configuration_file}), std::vector<key>{});
  EXPECT_TRUE(image->verify());
}

TEST_F(image_layer_test, keys_that_do_not_rise_and_a_name_that_is_taken_are_refused) {
  auto writer = image_writer::create(files_, name, at);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->add(key::two_phase(5), {}));
  EXPECT_EQ(writer->add(key::two_phase(5), {}).error().code, errc::invalid_argument);
  EXPECT_EQ(writer->add(key::two_phase(4), {}).error().code, errc::invalid_argument);
  EXPECT_TRUE(writer->add(key::two_phase(6), {}));
  EXPECT_EQ(image_writer::create(files_, name, at).error().code, errc::already_exists);
}

TEST_F(image_layer_test, a_finished_image_survives_a_power_cut_and_an_unfinished_one_is_none) {
  ASSERT_TRUE(files_.sync_directory("/"));
  ASSERT_TRUE(write(sample_entries(20)));
  files_.power_cut();
  EXPECT_TRUE(open()->verify());
  ASSERT_TRUE(files_.remove(name));
  auto writer = image_writer::create(files_, name, at);
  ASSERT_TRUE(writer);
  for (const auto& [k, value] : sample_entries(20)) ASSERT_TRUE(writer->add(k, value));
  EXPECT_EQ(image_layer::open(files_, name).error().code, errc::corrupt);
}

TEST_F(image_layer_test, a_damaged_block_is_named_with_file_offset_and_checksums) {
  ASSERT_TRUE(write(sample_entries(100)));
  change_byte(64 + 16 + 50, std::byte{1});
  const auto refused = history_of(*open(), key::control());
  ASSERT_FALSE(refused);
  const std::string& message = refused.error().message;
  for (const char* part : {"/layers/base.image", "offset 64", "expected 0x", "found 0x"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_TRUE(history_of(*open(), key::block(table, fork_number::main, 297))->found());
}

TEST_F(image_layer_test, many_threads_read_with_a_small_cache) {
  const auto entries = sample_entries(60);
  ASSERT_TRUE(write(entries));
  const auto image = open(150'000);
  std::atomic<int> wrong{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 2000; ++i) {
      auto it = entries.begin();
      std::advance(it, random() % entries.size());
      const auto history = history_of(*image, it->first);
      if (!history || !std::ranges::equal(history->value, it->second)) ++wrong;
    }
  };
  std::thread first(work, 1);
  std::thread second(work, 2);
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace zenith::layers
