// ingestor: what records put into the memory layer, also those that nobody understands.
#include "storage/layers/ingestor.hpp"

#include <gtest/gtest.h>

#include "storage/postgres/control_file.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::record_builder;

const relation_id table{1663, 5, 16384};

bytes page_bytes(char letter) {
  page p;
  p.data.fill(static_cast<std::byte>(letter));
  pg::set_page_lsn(p, lsn{});
  return {p.data.begin(), p.data.end()};
}

bytes image_record(block_number block, char letter) {
  return record_builder(pg::resource_manager::xlog, 0xB0)
      .add({.relation = table,
            .number = block,
            .full_page =
                record_builder::image{page_bytes(letter), 0, 0, zenith::testing::image_apply}})
      .finish();
}

bytes extension_record(block_number block) {
  return record_builder(pg::resource_manager{128}, 0x20)
      .add({.relation = table, .number = block, .data = bytes(4)})
      .finish();
}

/// Heap, LOCK, with main data that is too short: its ingest fails.
bytes bad_heap_record(block_number block) {
  return record_builder(pg::resource_manager::heap, 0x60)
      .add({.relation = table, .number = block, .data = bytes(4)})
      .main_data(bytes(1))
      .finish();
}

/// Storage, CREATE (xl_smgr_create) of a fork that does not exist.
bytes bad_create_record(const relation_id& relation) {
  bytes data(16);
  store(data.data(), relation);
  store(data.data() + 12, uint32_t{9});
  return record_builder(pg::resource_manager::storage, 0x10).main_data(data).finish();
}

/// Database, CREATE_FILE_COPY (xl_dbase_create_file_copy_rec).
bytes copy_database_record(uint32_t from, uint32_t to) {
  bytes data(16);
  store(data.data(), to);
  store(data.data() + 4, uint32_t{1663});
  store(data.data() + 8, from);
  store(data.data() + 12, uint32_t{1663});
  return record_builder(pg::resource_manager::database, 0).main_data(data).finish();
}

/// A disk that does not answer.
class failing_layer : public layer {
 public:
  result<void> collect(const key&, lsn, lsn, key_history&) const override {
    return fail(errc::io, "cannot read a file: Input/output error");
  }
  result<void> list(const key&, const key&, lsn,
                    const std::function<void(const key&)>&) const override {
    return fail(errc::io, "cannot read a file: Input/output error");
  }
};

/// Transaction, COMMIT (xl_xact_commit: the time is its first field).
bytes commit_record(int64_t time_us, uint32_t xid) {
  bytes data(8);
  store(data.data(), time_us);
  return record_builder(pg::resource_manager::transaction, 0, xid).main_data(data).finish();
}

class ingestor_test : public ::testing::Test {
 protected:
  /// Ingests a record at the end; gives its end.
  lsn ingest(const bytes& record) {
    const lsn start = now_;
    now_ = (start + record.size()).aligned();
    const auto done = ingestor_.ingest({start, now_, record});
    EXPECT_TRUE(done) << done.error().message;
    return now_;
  }
  view seen() const { return view({{layer_, now_}, base_.front()}, lsn{1000}, now_); }
  /// The letter that a page is filled with, or its error's kind.
  result<char> letter(block_number block, lsn at) const {
    page p;
    ZENITH_TRY(seen().read_page(table, fork_number::main, block, at, p));
    return static_cast<char>(p.data[5000]);
  }

  /// The error names the record.
  template <class T>
  static void expect_unknown(const result<T>& read, lsn record) {
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find(to_string(record)), std::string::npos)
        << read.error().message;
    EXPECT_NE(read.error().message.find("was not understood"), std::string::npos)
        << read.error().message;
  }

  /// What a base image would hold: counters, before the first record.
  static std::vector<layer_reference> base() {
    auto below = std::make_shared<memory_layer>(lsn{});
    bytes xid(8);
    store(xid.data(), uint64_t{700});
    below->put_value(key::next_full_xid(), lsn{900}, xid);
    below->put_value(key::next_oid(), lsn{900}, bytes(4));
    below->put_value(key::next_multixact(), lsn{900}, bytes(8));
    below->put_value(key::control(), lsn{900}, pg::encode_control_data({}));
    below->publish(lsn{900});
    return {{below, lsn{900}}};
  }

  lsn now_{1000};
  std::shared_ptr<memory_layer> layer_ = std::make_shared<memory_layer>(lsn{1000});
  std::vector<layer_reference> base_ = base();
  std::vector<std::string> told_;
  ingestor ingestor_{layer_, base_, [this](const wal::raw_record& record, const error& e) {
                       told_.push_back(to_string(record.start) + " " + e.message);
                     }};
};

TEST_F(ingestor_test, a_page_and_its_forks_size_are_there_from_the_records_end_on) {
  const lsn before = now_;
  const lsn at = ingest(image_record(3, 'a'));
  EXPECT_EQ(layer_->published(), at);
  EXPECT_EQ(letter(3, at), 'a');
  EXPECT_EQ(letter(2, at), '\0');
  EXPECT_EQ((*seen().relation(table, fork_number::main, at))->blocks(), 4u);
  EXPECT_FALSE(seen().relation(table, fork_number::main, before)->has_value());
  EXPECT_EQ(letter(4, at).error().code, errc::out_of_range);
  EXPECT_EQ(ingestor_.records(), 1u);
  EXPECT_EQ(ingestor_.failures(), 0u);
}

TEST_F(ingestor_test, a_record_of_an_extension_spoils_its_page_until_the_next_image) {
  const lsn fine = ingest(image_record(3, 'a'));
  const lsn bad = ingest(extension_record(3));
  const lsn other = ingest(image_record(4, 'b'));
  const lsn healed = ingest(image_record(3, 'c'));
  EXPECT_EQ(letter(3, fine), 'a');
  EXPECT_EQ(letter(3, bad).error().code, errc::unsupported);
  EXPECT_EQ(letter(3, other).error().code, errc::unsupported);
  EXPECT_EQ(letter(4, other), 'b');
  EXPECT_EQ(letter(3, healed), 'c');
  // It is told, with the resource manager's number.
  EXPECT_EQ(ingestor_.failures(), 1u);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_NE(told_[0].find("resource manager 128"), std::string::npos) << told_[0];
  EXPECT_EQ(layer_->unknown(), nullptr);
}

TEST_F(ingestor_test, a_record_whose_ingest_fails_is_told_and_the_next_ones_are_ingested) {
  ingest(image_record(3, 'a'));
  const lsn start = now_;
  const lsn bad = ingest(bad_heap_record(3));
  const lsn healed = ingest(image_record(3, 'c'));
  EXPECT_EQ(ingestor_.failures(), 1u);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].find(to_string(start)), 0u) << told_[0];
  EXPECT_FALSE(letter(3, bad));
  EXPECT_EQ(letter(3, healed), 'c');
  EXPECT_EQ(layer_->published(), healed);
}

TEST_F(ingestor_test, a_failed_record_of_a_table_leaves_its_visibility_map_unknown_alone) {
  const relation_id other{1663, 5, 16390};
  const lsn fine = ingest(image_record(3, 'a'));
  const lsn start = now_;
  const lsn bad = ingest(bad_heap_record(4));
  EXPECT_EQ(letter(3, bad), 'a');
  EXPECT_TRUE(seen().relation(table, fork_number::vm, fine));
  expect_unknown(seen().relation(table, fork_number::vm, bad), start);
  page p;
  expect_unknown(seen().read_page(table, fork_number::vm, 0, bad, p), start);
  EXPECT_TRUE(seen().relation(other, fork_number::vm, bad));
  EXPECT_TRUE(seen().value(key::slru(slru_kind::xact, 0), bad));
  EXPECT_TRUE(seen().value(key::control(), bad));
}

TEST_F(ingestor_test, a_failed_truncation_leaves_the_sizes_of_its_relation_unknown_alone) {
  ingest(image_record(3, 'a'));
  const lsn start = now_;
  const lsn bad = ingest(bad_create_record({1663, 5, 16390}));
  const lsn later = ingest(image_record(4, 'b'));
  EXPECT_EQ(letter(3, later), 'a');
  EXPECT_EQ(letter(4, later), 'b');
  for (const lsn at : {bad, later}) {
    expect_unknown(seen().relation({1663, 5, 16390}, fork_number::main, at), start);
    // Whether there are more relations in its database, nobody can tell.
    expect_unknown(seen().keys(key::size({1663, 5, 0}, fork_number::main),
                               key::size({1663, 5, UINT32_MAX}, fork_number::init), at),
                   start);
    EXPECT_TRUE(seen().keys(key::size({1663, 6, 0}, fork_number::main),
                            key::size({1663, 6, UINT32_MAX}, fork_number::init), at));
  }
  EXPECT_TRUE(seen().keys(key::size({1663, 5, 0}, fork_number::main),
                          key::size({1663, 5, UINT32_MAX}, fork_number::init), start));
}

TEST_F(ingestor_test, a_copy_of_a_database_is_as_unknown_as_its_source) {
  ingest(image_record(3, 'a'));
  const lsn start = now_;
  ingest(bad_create_record({1663, 5, 16390}));
  const lsn other = ingest(copy_database_record(4, 8));
  const lsn copied = ingest(copy_database_record(5, 6));
  expect_unknown(seen().relation({1663, 6, 16390}, fork_number::main, copied), start);
  expect_unknown(seen().keys(key::size({1663, 6, 0}, fork_number::main),
                             key::size({1663, 6, UINT32_MAX}, fork_number::init), copied),
                 start);
  EXPECT_TRUE(seen().relation({1663, 6, 16390}, fork_number::main, other));
  EXPECT_TRUE(seen().relation({1663, 8, 16390}, fork_number::main, copied));
  EXPECT_EQ(letter(3, copied), 'a');
}

TEST_F(ingestor_test, after_a_failed_commit_nothing_that_it_may_have_changed_is_told) {
  ingest(image_record(3, 'a'));
  const lsn fine = ingest(commit_record(1'000'000, 710));
  const lsn start = now_;
  // Its time is cut off, and with it whatever it might say of dropped relations.
  const lsn bad = ingest(
      record_builder(pg::resource_manager::transaction, 0, 711).main_data(bytes(3)).finish());
  const lsn later = ingest(commit_record(1'000'001, 712));
  EXPECT_EQ(ingestor_.failures(), 1u);
  for (const lsn at : {bad, later}) {
    expect_unknown(seen().value(key::slru(slru_kind::xact, 0), at), start);
    expect_unknown(seen().exists(key::slru(slru_kind::xact, 0), at), start);
    expect_unknown(seen().value(key::two_phase(711), at), start);
    expect_unknown(seen().value(key::next_full_xid(), at), start);
    expect_unknown(seen().relation(table, fork_number::main, at), start);
    expect_unknown(letter(3, at), start);
    EXPECT_TRUE(seen().value(key::next_oid(), at));
    EXPECT_TRUE(seen().value(key::relation_map(1663, 5), at));
  }
  EXPECT_EQ(letter(3, fine), 'a');
  EXPECT_TRUE(seen().value(key::slru(slru_kind::xact, 0), fine));
  // Who left the timeline before does not see it.
  const view before({{layer_, fine}, base_.front()}, lsn{1000}, later);
  EXPECT_TRUE(before.value(key::slru(slru_kind::xact, 0), later));
}

// What is put in memory is written some time: a layer must not tell for ever of a disk that failed
// once. Who opens the timeline again takes the record in again.
TEST_F(ingestor_test, nothing_is_made_of_a_record_that_a_failing_disk_kept_from_being_understood) {
  const bytes record = commit_record(5, 701);
  ingestor over_failing{layer_,
                        {{std::make_shared<failing_layer>(), now_}},
                        [this](const auto&, const error& e) { told_.push_back(e.message); }};
  const auto done = over_failing.ingest({now_, (now_ + record.size()).aligned(), record});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::io);
  EXPECT_EQ(layer_->published(), now_);
  EXPECT_EQ(layer_->unknown(), nullptr);
  EXPECT_EQ(over_failing.failures(), 0u);
  EXPECT_TRUE(told_.empty());
}

TEST_F(ingestor_test, many_failed_records_are_kept_in_few_entries) {
  for (uint32_t i = 0; i < 2000; ++i) ingest(bad_create_record({1663, 5, 20'000 + i}));
  size_t count = 0;
  for (const auto* u = layer_->unknown(); u != nullptr; u = u->next) ++count;
  EXPECT_LT(count, 300u);
  for (const uint32_t i : {0u, 1000u, 1999u})
    EXPECT_FALSE(seen().relation({1663, 5, 20'000 + i}, fork_number::main, now_));
}

TEST_F(ingestor_test, nothing_is_published_past_bytes_that_are_no_record) {
  const lsn before = ingest(image_record(1, 'x'));
  const bytes no_record(64);
  const auto done = ingestor_.ingest({before, before + 64, no_record});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::corrupt);
  EXPECT_EQ(layer_->published(), before);
  EXPECT_EQ(letter(1, before), 'x');
}

TEST_F(ingestor_test, a_record_that_overlaps_the_one_before_is_refused) {
  ingest(image_record(3, 'a'));
  const bytes record = image_record(3, 'b');
  EXPECT_EQ(ingestor_.ingest({now_ - 8, now_ + 100, record}).error().code, errc::invalid_argument);
  EXPECT_EQ(ingestor_.ingest({now_, now_, record}).error().code, errc::invalid_argument);
  EXPECT_EQ(letter(3, now_), 'a');
}

TEST_F(ingestor_test, a_commit_is_found_by_its_time_with_start_and_end) {
  ingest(image_record(3, 'a'));
  const lsn start = now_;
  const lsn end = ingest(commit_record(1'000'000, 700));
  EXPECT_EQ(told_, std::vector<std::string>{});
  const auto found = layer_->first_later_than(999'999, lsn::max()).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->start, start);
  EXPECT_EQ(found->end, end);
  EXPECT_EQ(layer_->newest_time(end).value(), 1'000'000);
}

TEST_F(ingestor_test, a_transaction_id_moves_the_counter_on_and_its_status_page_begins) {
  const lsn at = ingest(commit_record(1'000'000, 710));
  const lsn later = ingest(commit_record(1'000'001, 709));
  for (const lsn point : {at, later}) {
    const auto next = seen().value(key::next_full_xid(), point);
    ASSERT_TRUE(next && *next);
    EXPECT_EQ(load<uint64_t>((*next)->data()), 711u);
  }
  const auto status = seen().value(key::slru(slru_kind::xact, 0), later);
  ASSERT_TRUE(status && *status);
  // Two bits an id, 01 is committed (clog.h): 708 none, 709 and 710 committed.
  EXPECT_EQ((**status)[708 / 4], std::byte{0b00'01'01'00});
  EXPECT_EQ((**seen().value(key::slru(slru_kind::xact, 0), at))[708 / 4], std::byte{0b00'01'00'00});
}

TEST_F(ingestor_test, a_record_of_a_block_that_no_fork_has_spoils_no_copied_database) {
  // xl_dbase_create_file_copy_rec: the target's database and tablespace, then the source's.
  bytes data(16);
  store(data.data(), uint32_t{99});
  store(data.data() + 4, table.tablespace);
  store(data.data() + 8, table.database);
  store(data.data() + 12, table.tablespace);
  ingest(image_record(3, 'a'));
  ingest(record_builder(pg::resource_manager::database, 0).main_data(data).finish());
  const relation_id copy{table.tablespace, 99, table.relfilenode};
  ingest(record_builder(pg::resource_manager::xlog, 0xB0)
             .add({.relation = copy,
                   .number = UINT32_MAX,
                   .full_page =
                       record_builder::image{page_bytes('z'), 0, 0, zenith::testing::image_apply}})
             .finish());
  EXPECT_EQ(ingestor_.failures(), 1u);
  page p;
  const auto read = seen().read_page(copy, fork_number::main, 3, now_, p);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(p.data[5000], std::byte{'a'});
}

TEST_F(ingestor_test, goes_on_in_a_new_layer_over_the_one_that_was_ended) {
  const lsn first = ingest(image_record(3, 'a'));
  const auto ended = layer_;
  const size_t versions = ended->versions();
  layer_ = std::make_shared<memory_layer>(first);
  base_.insert(base_.begin(), {ended, first});
  ingestor_.continue_in(layer_, base_);
  const lsn second = ingest(image_record(1, 'b'));
  EXPECT_EQ(ended->versions(), versions);
  EXPECT_EQ(ended->published(), first);
  EXPECT_EQ(layer_->published(), second);
  const view both({{layer_, second}, base_[0], base_[1]}, lsn{1000}, second);
  // The fork did not become shorter: its size was known from below.
  EXPECT_EQ((*both.relation(table, fork_number::main, second))->blocks(), 4u);
  EXPECT_EQ(ingestor_.ingest({first - 8, second + 8, image_record(1, 'c')}).error().code,
            errc::invalid_argument);
}

TEST_F(ingestor_test, a_layer_that_it_has_left_is_not_held) {
  const lsn first = ingest(image_record(1, 'a'));
  const std::weak_ptr<memory_layer> left = layer_;
  layer_ = std::make_shared<memory_layer>(first);
  ingestor_.continue_in(layer_, base_);
  EXPECT_TRUE(left.expired());
}

TEST_F(ingestor_test, times_of_transactions_never_fall_over_layers) {
  const lsn first = ingest(commit_record(2'000'000, 700));
  const auto ended = layer_;
  layer_ = std::make_shared<memory_layer>(first);
  ingestor_.continue_in(layer_, {{ended, lsn::max()}, base_[0]});
  const lsn second = ingest(commit_record(1'000'000, 701));
  EXPECT_EQ(layer_->newest_time(second).value(), 2'000'000);

  // One that begins over layers that hold some looks for the newest there.
  const auto above = std::make_shared<memory_layer>(second);
  ingestor next(above, {{layer_, lsn::max()}, {ended, lsn::max()}, base_[0]}, nullptr);
  const bytes raw = commit_record(1'500'000, 702);
  const lsn third = (second + raw.size()).aligned();
  ASSERT_TRUE(next.ingest({second, third, raw}));
  EXPECT_EQ(above->newest_time(third).value(), 2'000'000);
}

TEST_F(ingestor_test, record_bytes_are_kept_only_where_a_key_refers_to_them) {
  const size_t before = layer_->size_bytes();
  const bytes message =
      record_builder(pg::resource_manager::logical_message, 0).main_data(bytes(3 << 20)).finish();
  ingest(message);
  EXPECT_LT(layer_->size_bytes() - before, size_t{2} << 20);
}

}  // namespace
}  // namespace zenith::layers
