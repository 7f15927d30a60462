// view: blocks that have no version of their own, because the fork is a copy or a record added
// them.
#include "tests/storage/layers/view_fixture.hpp"

namespace zenith::layers {
namespace {

class view_of_copies : public view_test {};

TEST_F(view_of_copies, a_copy_is_what_its_source_was_then) {
  const relation_id copy{1663, 6, 16384};
  put_image(3, 'a');
  const lsn source_at = put_letter(3, 'b');
  now_ = now_ + 64;
  layer_->put_value(key::size(copy, fork_number::main), now_, relation_state::of_base(10).encode());
  for (block_number block = 0; block < 10; ++block)
    layer_->put_copy(key::block(copy, fork_number::main, block), now_, block_key(block), source_at);
  const lsn copied = now_;
  put_letter(3, 'c');
  truncate(1);
  const lsn later = put(key::block(copy, fork_number::main, 3),
                        record_builder(pg::resource_manager::generic, 0)
                            .add({.relation = copy,
                                  .number = 3,
                                  .data = bytes{std::byte{0x70}, std::byte{0x17}, std::byte{1},
                                                std::byte{0}, std::byte{'z'}}})
                            .finish());
  const view v = seen();
  page p;
  ASSERT_TRUE(v.read_page(copy, fork_number::main, 3, copied, p));
  EXPECT_EQ(letters(p), "ba");
  ASSERT_TRUE(v.read_page(copy, fork_number::main, 3, later, p));
  EXPECT_EQ(letters(p), "bz");
  ASSERT_TRUE(v.read_page(copy, fork_number::main, 4, later, p));
  EXPECT_EQ(p.data, page{}.data);
}

TEST_F(view_of_copies, a_copy_of_a_fork_is_its_blocks_as_they_were_then) {
  const relation_id copy{1663, 6, 16384};
  const auto main = fork_number::main;
  put_image(3, 'a');
  const lsn source_at = put_letter(3, 'b');
  now_ = now_ + 64;
  auto state = relation_state::created(now_ - 1);
  state.extend(20);  // and so it has blocks that the source has not
  layer_->put_value(key::size(copy, main), now_, state.encode());
  layer_->put_copy(key::all_blocks(copy, main), now_, key::all_blocks(table, main), source_at);
  const lsn copied = now_;
  put_letter(3, 'c');
  truncate(1);
  const lsn later = put(key::block(copy, main, 3),
                        record_builder(pg::resource_manager::generic, 0)
                            .add({.relation = copy,
                                  .number = 3,
                                  .data = bytes{std::byte{0x70}, std::byte{0x17}, std::byte{1},
                                                std::byte{0}, std::byte{'z'}}})
                            .finish());
  now_ = now_ + 64;
  state.truncate(3, now_);
  state.extend(20);
  layer_->put_value(key::size(copy, main), now_, state.encode());
  const view v = seen();
  page p;
  ASSERT_TRUE(v.read_page(copy, main, 3, copied, p));
  EXPECT_EQ(letters(p), "ba");
  ASSERT_TRUE(v.read_page(copy, main, 3, later, p));
  EXPECT_EQ(letters(p), "bz");
  for (const block_number never_written : {4u, 15u}) {
    ASSERT_TRUE(v.read_page(copy, main, never_written, later, p));
    EXPECT_EQ(p.data, page{}.data);
  }
  // Cut off, it is a page of zeros when it is back.
  ASSERT_TRUE(v.read_page(copy, main, 3, now_, p));
  EXPECT_EQ(p.data, page{}.data);
}

TEST_F(view_of_copies, a_record_may_make_all_the_blocks_that_it_adds_and_no_older_one) {
  const auto main = fork_number::main;
  const key all = key::all_blocks(table, main);
  const lsn first = put(all, image_record(3, 'a'), record_effect::initialises);
  auto state = relation_state::of_base(10);
  state.extend(20);
  layer_->put_value(key::size(table, main), first, state.encode());
  const lsn second = put(all, image_record(15, 'b'), record_effect::initialises);
  state.extend(30);
  layer_->put_value(key::size(table, main), second, state.encode());
  const view v = seen();
  page p;
  for (const block_number old : {3u, 9u}) {
    ASSERT_TRUE(v.read_page(table, main, old, second, p));
    EXPECT_EQ(p.data, page{}.data);
  }
  // These records have nothing for a block that they do not name; their refusal tells which of
  // them was asked.
  const auto asked = [&](block_number block) {
    return v.read_page(table, main, block, second, p).error().message;
  };
  for (const block_number added : {10u, 15u, 19u})
    EXPECT_NE(asked(added).find("at " + to_string(first - 64) + ":"), std::string::npos);
  for (const block_number added : {20u, 29u})
    EXPECT_NE(asked(added).find("at " + to_string(second - 64) + ":"), std::string::npos);
}

TEST_F(view_of_copies, blocks_that_a_record_adds_carry_their_checksums) {
  // Heap, INSERT (xl_heap_insert) into a page whose bits are in the map's fourth page.
  const auto vm = fork_number::vm;
  const lsn at = put(key::all_blocks(table, vm),
                     record_builder(pg::resource_manager::heap, 0)
                         .add({.relation = table, .number = 4 * 32'000})
                         .main_data(bytes{std::byte{1}, std::byte{0}, std::byte{1}})
                         .finish(),
                     record_effect::initialises);
  auto state = relation_state::created(lsn{1000});
  state.extend(3);
  layer_->put_value(key::size(table, vm), at, state.encode());
  const view v({{layer_, now_}}, lsn{1000}, now_, nullptr, page_checksums::on);
  page p;
  ASSERT_TRUE(v.read_page(table, vm, 1, at, p));
  page summed = p;
  pg::set_page_checksum(summed, 1);
  EXPECT_FALSE(pg::page_is_new(p));
  EXPECT_EQ(p.data, summed.data);
}

TEST_F(view_of_copies, tells_the_image_that_a_page_and_its_copies_begin_with) {
  const relation_id copy{1663, 6, 16384};
  const auto main = fork_number::main;
  const lsn empty = now_;
  const lsn old_image = put_image(3, 'a');
  put_image(3, 'b');
  const lsn source_at = put_letter(3, 'c');
  now_ = now_ + 64;
  auto state = relation_state::created(now_ - 1);
  state.extend(10);
  layer_->put_value(key::size(copy, main), now_, state.encode());
  layer_->put_copy(key::all_blocks(copy, main), now_, key::all_blocks(table, main), source_at);
  put_image(3, 'd');
  const view v = seen();
  const auto letter_at = [&](const relation_id& relation, lsn at) {
    const auto image = v.first_image(relation, main, 3, at);
    EXPECT_TRUE(image) << image.error().message;
    return image && *image ? static_cast<char>((*image)->image.data[6000]) : '-';
  };
  EXPECT_EQ(letter_at(table, empty), '-');
  EXPECT_EQ(letter_at(table, old_image), 'a');
  EXPECT_EQ(letter_at(table, source_at), 'b');
  EXPECT_EQ(letter_at(table, now_), 'd');
  EXPECT_EQ(letter_at(copy, now_), 'b');
  EXPECT_EQ(letter_at({9, 9, 9}, now_), '-');
}

TEST_F(view_of_copies, a_fork_that_is_a_copy_of_itself_is_an_error_and_no_endless_loop) {
  now_ = now_ + 64;
  const key all = key::all_blocks(table, fork_number::main);
  layer_->put_copy(all, now_, all, now_);
  page p;
  EXPECT_EQ(seen().read_page(table, fork_number::main, 1, now_, p).error().code, errc::limit);
}

TEST_F(view_of_copies, a_copy_of_itself_is_an_error_and_no_endless_loop) {
  now_ = now_ + 64;
  layer_->put_copy(block_key(1), now_, block_key(1), now_);
  page p;
  EXPECT_EQ(seen().read_page(table, fork_number::main, 1, now_, p).error().code, errc::limit);
}

TEST_F(view_of_copies, a_copy_of_a_block_that_was_not_there_is_damage) {
  now_ = now_ + 64;
  layer_->put_copy(block_key(1), now_, key::block({9, 9, 9}, fork_number::main, 1), now_ - 64);
  page p;
  EXPECT_EQ(seen().read_page(table, fork_number::main, 1, now_, p).error().code, errc::corrupt);
}

}  // namespace
}  // namespace zenith::layers
