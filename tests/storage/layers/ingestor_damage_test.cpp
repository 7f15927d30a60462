// ingestor over damaged layers: what they would have told is told once they are mended.
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "storage/layers/ingestor.hpp"
#include "storage/layers/layer_writes.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::record_builder;

const relation_id table{1663, 5, 16384};

bytes image_record(block_number block, char letter) {
  page p;
  p.data.fill(static_cast<std::byte>(letter));
  pg::set_page_lsn(p, lsn{});
  const record_builder::image image{bytes(p.data.begin(), p.data.end()), 0, 0,
                                    zenith::testing::image_apply};
  return record_builder(pg::resource_manager::xlog, 0xB0)
      .add({.relation = table, .number = block, .full_page = image})
      .finish();
}

/// Heap, DELETE (xl_heap_delete) that clears the bits of the map for its block.
bytes delete_record(block_number block) {
  bytes data(8);
  data[7] = std::byte{1};  // XLH_DELETE_ALL_VISIBLE_CLEARED
  return record_builder(pg::resource_manager::heap, 0x10, 702)
      .add({.relation = table, .number = block})
      .main_data(data)
      .finish();
}

/// Storage, TRUNCATE of the main fork (xl_smgr_truncate).
bytes truncate_record(block_number blocks) {
  bytes data(20);
  store(data.data(), blocks);
  store(data.data() + 4, table);
  store(data.data() + 16, uint32_t{1});  // SMGR_TRUNCATE_HEAP
  return record_builder(pg::resource_manager::storage, 0x20).main_data(data).finish();
}
/// Storage, CREATE of the main fork (xl_smgr_create).
bytes create_record(const relation_id& relation) {
  bytes data(16);
  store(data.data(), relation);
  return record_builder(pg::resource_manager::storage, 0x10).main_data(data).finish();
}

/// Transaction, COMMIT (xl_xact_commit: the time is its first field).
bytes commit_record(int64_t time_us, uint32_t xid) {
  bytes data(8);
  store(data.data(), time_us);
  return record_builder(pg::resource_manager::transaction, 0, xid).main_data(data).finish();
}

/// Where pg_xact's page 0 has a transaction's two bits.
constexpr size_t pg_xact_byte_of(uint32_t xid) { return xid / 4; }

/// A layer some of whose keys lie in a block that is damaged, until it is mended.
class damaged_layer : public layer {
 public:
  damaged_layer(std::shared_ptr<const layer> whole, std::set<key> keys)
      : whole_(std::move(whole)), keys_(std::move(keys)) {}
  void mend() { keys_.clear(); }

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override {
    if (keys_.contains(k)) return fail(errc::corrupt, "base.image: damaged at offset 64");
    return whole_->collect(k, after, until, history);
  }
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override {
    return whole_->list(first, last, until, each);
  }

 private:
  std::shared_ptr<const layer> whole_;
  std::set<key> keys_;
};

class ingestor_over_damage : public ::testing::Test {
 protected:
  void begin(std::set<key> damaged) {
    auto whole = std::make_shared<memory_layer>(lsn{});
    bytes xid(8);
    store(xid.data(), uint64_t{700});
    whole->put_value(key::next_full_xid(), lsn{900}, xid);
    whole->put_value(key::next_oid(), lsn{900}, bytes(4));
    whole->put_value(key::next_multixact(), lsn{900}, bytes(8));
    whole->put_value(key::control(), lsn{900}, pg::encode_control_data({}));
    whole->put_value(key::slru(slru_kind::xact, 0), lsn{900}, bytes(page_size_bytes));
    whole->put_value(key::size(table, fork_number::main), lsn{900},
                     relation_state::of_base(10).encode());
    whole->put_value(key::size(table, fork_number::vm), lsn{900},
                     relation_state::of_base(1).encode());
    whole->publish(lsn{900});
    below_ = std::make_shared<damaged_layer>(whole, std::move(damaged));
    over_.emplace(layer_, std::vector<layer_reference>{{below_, lsn{900}}},
                  [this](const auto&, const error& e) { told_.push_back(e.message); });
  }
  lsn put(const bytes& record) {
    const lsn start = now_;
    now_ = (start + record.size()).aligned();
    const auto done = over_->ingest({start, now_, record});
    EXPECT_TRUE(done) << done.error().message;
    return now_;
  }
  view seen_over(std::shared_ptr<const layer> newest) const {
    return view({{std::move(newest), now_}, {below_, lsn{900}}}, lsn{900}, now_);
  }
  template <class T>
  static void expect_damage(const result<T>& read) {
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find("base.image: damaged"), std::string::npos)
        << read.error().message;
  }

  lsn now_{1000};
  std::shared_ptr<memory_layer> layer_ = std::make_shared<memory_layer>(now_);
  std::vector<std::string> told_;
  std::shared_ptr<damaged_layer> below_;
  std::optional<ingestor> over_;
};

TEST_F(ingestor_over_damage, of_a_forks_size_makes_nothing_unknown_once_it_is_mended) {
  begin({key::size(table, fork_number::main), key::size(table, fork_number::vm)});
  const lsn inside = put(image_record(3, 'a'));
  const lsn behind = put(image_record(15, 'b'));
  put(image_record(12, 'c'));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(layer_->unknown(), nullptr);
  expect_damage(seen_over(layer_).relation(table, fork_number::main, now_));
  page p;
  expect_damage(seen_over(layer_).read_page(table, fork_number::main, 15, now_, p));

  // The same once it was written to a file.
  testing::memory_file_system disk;
  layer_output out;
  out.files = std::make_shared<layer_files>(disk, "/timelines", layer_files::limits{});
  out.next_number = std::make_shared<std::atomic<uint64_t>>(1);
  const auto written = write_frozen_layer(*layer_, out, {});
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_EQ(written->files.size(), 1u);
  const auto file = out.files->find(written->files.front());
  expect_damage(seen_over(file).relation(table, fork_number::main, now_));
  below_->mend();
  for (const std::shared_ptr<const layer>& newest :
       {std::shared_ptr<const layer>(layer_), std::shared_ptr<const layer>(file)}) {
    const view whole = seen_over(newest);
    const auto blocks_at = [&](lsn at) {
      return whole.relation(table, fork_number::main, at).value()->blocks();
    };
    EXPECT_EQ(blocks_at(lsn{900}), 10u);
    EXPECT_EQ(blocks_at(inside), 10u);
    EXPECT_EQ(blocks_at(behind), 16u);
    EXPECT_EQ(blocks_at(now_), 16u);
    ASSERT_TRUE(whole.read_page(table, fork_number::main, 15, now_, p));
    EXPECT_EQ(static_cast<char>(p.data[5000]), 'b');
    ASSERT_TRUE(whole.read_page(table, fork_number::main, 14, now_, p));
    EXPECT_TRUE(pg::page_is_new(p));
  }
}

TEST_F(ingestor_over_damage, asks_once_for_a_size_and_again_in_the_next_layer) {
  begin({key::size(table, fork_number::main)});
  put(image_record(20, 'a'));
  const size_t versions = layer_->versions();
  for (int i = 0; i < 10; ++i) put(image_record(20, 'b'));
  EXPECT_EQ(layer_->versions(), versions + 10) << "pages only";
  below_->mend();
  auto next = std::make_shared<memory_layer>(now_);
  over_->continue_in(next, {{layer_, now_}, {below_, lsn{900}}});
  put(image_record(30, 'c'));
  const view whole({{next, now_}, {layer_, now_}, {below_, lsn{900}}}, lsn{900}, now_);
  EXPECT_EQ(whole.relation(table, fork_number::main, now_).value()->blocks(), 31u);
}

TEST_F(ingestor_over_damage, of_transaction_states_keeps_what_is_put_on_them) {
  begin({key::slru(slru_kind::xact, 0)});
  put(commit_record(5, 701));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(layer_->unknown(), nullptr);
  expect_damage(seen_over(layer_).value(key::slru(slru_kind::xact, 0), now_));
  below_->mend();
  const auto state = seen_over(layer_).value(key::slru(slru_kind::xact, 0), now_);
  ASSERT_TRUE(state && *state) << state.error().message;
  EXPECT_NE((**state)[pg_xact_byte_of(701)], std::byte{0});
}

TEST_F(ingestor_over_damage, of_the_counters_makes_them_unknown_and_pages_go_on) {
  begin({key::next_full_xid()});
  put(commit_record(5, 701));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_NE(told_[0].find("base.image: damaged"), std::string::npos) << told_[0];
  put(image_record(3, 'a'));
  const view seen = seen_over(layer_);
  expect_damage(seen.value(key::next_full_xid(), now_));
  page p;
  const auto read = seen.read_page(table, fork_number::main, 3, now_, p);
  EXPECT_TRUE(read) << read.error().message;
}

TEST_F(ingestor_over_damage, of_a_size_that_is_cut_and_grows_again_tells_both_once_it_is_mended) {
  const relation_id made{1663, 5, 20'000};
  begin({key::size(table, fork_number::main), key::size(made, fork_number::main)});
  const lsn grown = put(image_record(20, 'a'));
  const lsn cut = put(truncate_record(4));
  const lsn again = put(image_record(6, 'b'));
  put(create_record(made));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(layer_->unknown(), nullptr);
  expect_damage(seen_over(layer_).relation(table, fork_number::main, now_));
  below_->mend();
  const view whole = seen_over(layer_);
  const auto state_at = [&](lsn at) {
    return *whole.relation(table, fork_number::main, at).value();
  };
  EXPECT_EQ(state_at(grown).blocks(), 21u);
  EXPECT_EQ(state_at(cut).blocks(), 4u);
  EXPECT_EQ(state_at(again).blocks(), 7u);
  EXPECT_EQ(state_at(again).hidden_until(5), cut);
  const auto state_made = whole.relation(made, fork_number::main, now_).value();
  ASSERT_TRUE(state_made);
  EXPECT_EQ(state_made->blocks(), 0u);
}

TEST_F(ingestor_over_damage, of_a_visibility_maps_size_clears_the_bits_once_it_is_mended) {
  begin({key::size(table, fork_number::vm)});
  put(image_record(3, 'a'));
  put(delete_record(3));
  put(delete_record(40'000));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(layer_->unknown(), nullptr);
  expect_damage(seen_over(layer_).relation(table, fork_number::vm, now_));
  below_->mend();
  EXPECT_EQ(seen_over(layer_).relation(table, fork_number::vm, now_).value()->blocks(), 2u);
  page p;
  for (const block_number block : {0u, 1u}) {
    const auto read = seen_over(layer_).read_page(table, fork_number::vm, block, now_, p);
    EXPECT_TRUE(read) << read.error().message;
  }
}

}  // namespace
}  // namespace zenith::layers
