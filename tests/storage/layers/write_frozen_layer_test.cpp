// write_frozen_layer: what becomes of each kind of version in the file.
#include <gtest/gtest.h>

#include "storage/io/durable_file.hpp"
#include "storage/layers/layer_writes.hpp"
#include "storage/layers/transaction_times.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::layers {
namespace {

using testing::memory_file_system;
using testing::record_builder;

const relation_id table{1663, 5, 16384};

class write_frozen_layer_test : public ::testing::Test {
 protected:
  key block(block_number number, fork_number fork = fork_number::main) const {
    return key::block(table, fork, number);
  }
  /// XLOG_FPI with the images of these blocks.
  static bytes images(fork_number fork, std::initializer_list<block_number> blocks, bool apply) {
    record_builder made(pg::resource_manager::xlog, 0xb0);
    uint8_t id = 0;
    for (const block_number number : blocks) {
      bytes image(page_size_bytes, std::byte{7});
      store(image.data() + 12, uint16_t{24});  // pd_lower: no new page
      store(image.data() + 14, uint16_t{8192});
      made.add({.id = id++,
                .relation = table,
                .fork = fork,
                .number = number,
                .full_page = record_builder::image{
                    image, 0, 0, static_cast<uint8_t>(apply ? testing::image_apply : 0)}});
    }
    return made.finish();
  }
  void put(const key& k, const bytes& raw, lsn start, lsn end,
           redo::record_effect effect = redo::record_effect::initialises) {
    layer_.put_record(k, end, layer_.add_record(start, raw), effect);
  }
  layer_reference write() {
    const auto written = write_frozen_layer(layer_, out_, {});
    EXPECT_TRUE(written) << written.error().message;
    if (!written || written->files.size() != 1) return {};
    EXPECT_EQ(written->bytes_written, written->files.front().size_bytes);
    return {out_.files->find(written->files.front()), lsn::max()};
  }
  static key_history history_of(const layer& from, const key& k) {
    key_history found;
    EXPECT_TRUE(from.collect(k, lsn{}, lsn::max(), found));
    return found;
  }

  memory_file_system files_;
  layer_output out_{std::make_shared<layer_files>(files_, "/timelines", layer_files::limits{}),
                    {},
                    std::make_shared<std::atomic<uint64_t>>(1)};
  memory_layer layer_{lsn{0x1000}};
};

TEST_F(write_frozen_layer_test, a_layer_that_holds_nothing_makes_no_file) {
  layer_.publish(lsn{0x2000});
  const auto written = write_frozen_layer(layer_, out_, {});
  ASSERT_TRUE(written);
  EXPECT_TRUE(written->files.empty());
  EXPECT_EQ(written->bytes_written, 0u);
}

// On a full disk each attempt would leave another file that takes what was freed.
TEST_F(write_frozen_layer_test, a_write_that_fails_at_any_operation_leaves_no_file) {
  const bytes raw = images(fork_number::main, {1, 2}, true);
  for (const block_number number : {1, 2}) put(block(number), raw, lsn{0x1000}, lsn{0x5000});
  layer_.publish(lsn{0x5000});
  const path folder = out_.files->path_of({{}, 1, layer_kind::delta}).parent_path();
  ASSERT_TRUE(create_directories_durably(files_, folder));
  for (const auto how : {memory_file_system::fault::io_error, memory_file_system::fault::no_space})
    for (uint64_t operation = 0;; ++operation) {
      SCOPED_TRACE(operation);
      files_.fail_at(files_.operations() + operation, how);
      const auto written = write_frozen_layer(layer_, out_, {});
      files_.fail_at(0, how);
      const auto there = files_.list(folder);
      ASSERT_TRUE(there);
      if (written) {
        EXPECT_EQ(there->size(), 1u);
        ASSERT_TRUE(files_.remove(folder / there->front().name));
        EXPECT_GT(operation, 3u);
        break;
      }
      EXPECT_TRUE(there->empty()) << there->front().name;
    }
}

TEST_F(write_frozen_layer_test, the_page_that_an_image_makes_is_written_once_for_each_block) {
  out_.checksums = page_checksums::on;
  const bytes raw = images(fork_number::main, {1, 2}, true);
  for (const block_number number : {1, 2}) put(block(number), raw, lsn{0x1000}, lsn{0x5000});
  layer_.publish(lsn{0x5000});
  const auto file = write();
  ASSERT_TRUE(file.data);
  for (const block_number number : {1, 2}) {
    const auto found = history_of(*file.data, block(number));
    ASSERT_EQ(found.state, key_history::state_kind::value);
    EXPECT_EQ(found.newest, lsn{0x5000});
    ASSERT_EQ(found.value.size(), page_size_bytes);
    page p;
    std::ranges::copy(found.value, p.begin());
    EXPECT_EQ(pg::page_lsn(p), lsn{0x5000});
    EXPECT_EQ(load<uint16_t>(p.begin() + 8), pg::page_checksum(p, number));
  }
}

TEST_F(write_frozen_layer_test, a_visibility_map_keeps_its_image_in_the_record) {
  put(block(0, fork_number::vm), images(fork_number::vm, {0}, true), lsn{0x1000}, lsn{0x5000});
  layer_.publish(lsn{0x5000});
  const auto file = write();
  ASSERT_TRUE(file.data);
  const auto found = history_of(*file.data, block(0, fork_number::vm));
  ASSERT_EQ(found.state, key_history::state_kind::zero);
  ASSERT_EQ(found.records.size(), 1u);
  pg::record record;
  ASSERT_TRUE(pg::decode_record(found.records[0].bytes, lsn{0x1000}, lsn{0x5000}, record));
  EXPECT_TRUE(record.block_storage[0].image.apply);
}

TEST_F(write_frozen_layer_test, images_for_checking_are_left_out) {
  put(block(3), images(fork_number::main, {3}, false), lsn{0x1000}, lsn{0x5000},
      redo::record_effect::changes);
  layer_.publish(lsn{0x5000});
  const auto file = write();
  ASSERT_TRUE(file.data);
  const auto found = history_of(*file.data, block(3));
  ASSERT_EQ(found.records.size(), 1u);
  EXPECT_LT(found.records[0].bytes.size(), 100u);
  EXPECT_EQ(found.records[0].start, lsn{0x1000});
  EXPECT_EQ(found.records[0].end, lsn{0x5000});
}

TEST_F(write_frozen_layer_test, what_does_not_decode_or_make_a_page_stays_for_readers_to_refuse) {
  const bytes nonsense(40, std::byte{0xee});
  put(block(1), nonsense, lsn{0x1000}, lsn{0x2000}, redo::record_effect::changes);
  bytes raw =
      record_builder(pg::resource_manager::xlog, 0xb0)
          .add({.relation = table,
                .number = 2,
                .full_page = record_builder::image{bytes(100, std::byte{0xee}), 0, 0,
                                                   testing::image_apply | testing::image_lz4}})
          .finish();
  put(block(2), raw, lsn{0x2000}, lsn{0x3000});
  layer_.publish(lsn{0x3000});
  const auto file = write();
  ASSERT_TRUE(file.data);
  const auto first = history_of(*file.data, block(1));
  ASSERT_EQ(first.records.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(first.records[0].bytes, nonsense));
  const auto second = history_of(*file.data, block(2));
  ASSERT_EQ(second.records.size(), 1u);
  pg::record record;
  ASSERT_TRUE(pg::decode_record(second.records[0].bytes, lsn{0x2000}, lsn{0x3000}, record));
  page p;
  EXPECT_FALSE(redo::apply(record, block(2), p));
}

TEST_F(write_frozen_layer_test, other_versions_and_transaction_ends_come_back_as_they_were) {
  layer_.put_value(key::two_phase(9), lsn{0x2000}, as_bytes("x"));
  layer_.put_absent(key::two_phase(9), lsn{0x3000});
  layer_.put_copy(key::relation_map(1663, 6), lsn{0x3000}, key::relation_map(1663, 5), lsn{0x2800});
  for (uint64_t i = 1; i <= 1000; ++i)
    layer_.put_transaction_end(static_cast<int64_t>(i * 10), lsn{0x1000 + i * 8 - 8},
                               lsn{0x1000 + i * 8});
  layer_.publish(lsn{0x3000});
  const auto file = write();
  ASSERT_TRUE(file.data);
  EXPECT_EQ(history_of(*file.data, key::two_phase(9)).state, key_history::state_kind::absent);
  const auto copied = history_of(*file.data, key::relation_map(1663, 6));
  EXPECT_EQ(copied.state, key_history::state_kind::copy);
  EXPECT_EQ(copied.source, key::relation_map(1663, 5));
  EXPECT_EQ(copied.source_lsn, lsn{0x2800});
  const std::vector<layer_reference> all{file};
  for (const int64_t time : {0, 5, 10, 5115, 5120, 5125, 9990, 9999, 10000})
    for (const lsn until : {lsn{0x1008}, lsn{0x1800}, lsn{0x2000}, lsn{0x2001}, lsn::max()}) {
      EXPECT_EQ(first_later_than(all, time, until).value(),
                layer_.first_later_than(time, until).value());
      EXPECT_EQ(newest_time(all, until).value(), layer_.newest_time(until).value());
    }
}

}  // namespace
}  // namespace zenith::layers
