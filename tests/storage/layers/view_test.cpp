// view: what a key, a fork and a page are at an LSN, from hand-made versions.
#include "storage/layers/view.hpp"

#include <gtest/gtest.h>

#include "storage/layers/memory_layer.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::layers {
namespace {

using redo::record_effect;
using zenith::testing::record_builder;

const relation_id table{1663, 5, 16384};
const key size_key = key::size(table, fork_number::main);

key block_key(block_number block) { return key::block(table, fork_number::main, block); }

/// A page whose contents, past its header, are one letter.
page page_of(char letter) {
  page p;
  p.data.fill(static_cast<std::byte>(letter));
  store(p.begin() + 12, uint16_t{24});    // pd_lower
  store(p.begin() + 14, uint16_t{24});    // pd_upper: nothing is free
  store(p.begin() + 16, uint16_t{8192});  // pd_special
  pg::set_page_lsn(p, lsn{});
  return p;
}

/// A record with a whole page.
bytes image_record(block_number block, char letter) {
  const page p = page_of(letter);
  record_builder builder(pg::resource_manager::xlog, 0xB0);
  builder.add({.relation = table,
               .number = block,
               .full_page = record_builder::image{bytes(p.data.begin(), p.data.end()), 0, 0,
                                                  zenith::testing::image_apply}});
  return builder.finish();
}

/// A Generic record that writes one letter at an offset of a page (generic_xlog.c, applyPageRedo).
bytes letter_record(block_number block, uint16_t offset, char letter) {
  bytes delta(5);
  store(delta.data(), offset);
  store(delta.data() + 2, uint16_t{1});
  delta[4] = static_cast<std::byte>(letter);
  return record_builder(pg::resource_manager::generic, 0)
      .add({.relation = table, .number = block, .data = delta})
      .finish();
}

bytes unknown_record(block_number block) {
  return record_builder(pg::resource_manager{128}, 0x20)
      .add({.relation = table, .number = block, .data = bytes(4)})
      .finish();
}

class view_test : public ::testing::Test {
 protected:
  view_test() { extend(10); }

  lsn put(const key& k, const bytes& record, record_effect effect = record_effect::changes) {
    return put_into(*layer_, k, record, effect);
  }
  lsn put_into(memory_layer& layer, const key& k, const bytes& record, record_effect effect) {
    const lsn start = now_;
    now_ = now_ + 64;
    layer.put_record(k, now_, layer.add_record(start, record), effect);
    return now_;
  }
  lsn put_image(block_number block, char letter) {
    return put(block_key(block), image_record(block, letter), record_effect::initialises);
  }
  lsn put_letter(block_number block, char letter) {
    return put(block_key(block), letter_record(block, 5000, letter));
  }
  lsn put_size() {
    now_ = now_ + 64;
    layer_->put_value(size_key, now_, state_.encode());
    return now_;
  }
  lsn extend(block_number blocks) {
    state_.extend(blocks);
    return put_size();
  }
  lsn truncate(block_number kept) {
    state_.truncate(kept, now_ + 64);
    return put_size();
  }

  view seen(std::shared_ptr<page_cache> cache = nullptr) {
    return view({{layer_, now_}}, lsn{1000}, now_, std::move(cache));
  }
  page read(const view& from, block_number block, lsn at) {
    page p = page_of('!');
    const auto done = from.read_page(table, fork_number::main, block, at, p);
    EXPECT_TRUE(done) << done.error().message;
    return p;
  }
  /// The letters at offset 5000, where records write, and elsewhere.
  std::string letters(const page& p) {
    return {static_cast<char>(p.data[5000]), static_cast<char>(p.data[6000])};
  }

  lsn now_{1000};
  std::shared_ptr<memory_layer> layer_ = std::make_shared<memory_layer>(lsn{1000});
  relation_state state_ = relation_state::of_base(0);
};

TEST_F(view_test, a_page_is_its_image_and_the_records_after_it_up_to_the_lsn) {
  const lsn a = put_image(3, 'a');
  const lsn b = put_letter(3, 'b');
  const lsn c = put_letter(3, 'c');
  const view v = seen();
  EXPECT_EQ(letters(read(v, 3, a)), "aa");
  EXPECT_EQ(pg::page_lsn(read(v, 3, a)), a);
  EXPECT_EQ(letters(read(v, 3, b)), "ba");
  EXPECT_EQ(letters(read(v, 3, c - 1)), "ba");
  EXPECT_EQ(letters(read(v, 3, c)), "ca");
  EXPECT_EQ(pg::page_lsn(read(v, 3, c)), c);
}

TEST_F(view_test, a_block_in_the_fork_that_nothing_wrote_is_zeros) {
  const view v = seen();
  EXPECT_EQ(read(v, 4, now_).data, page{}.data);
}

TEST_F(view_test, a_block_past_the_end_and_a_fork_that_is_not_there_are_errors) {
  const view v = seen();
  page p;
  EXPECT_EQ(v.read_page(table, fork_number::main, 10, now_, p).error().code, errc::out_of_range);
  EXPECT_EQ(v.read_page(table, fork_number::vm, 0, now_, p).error().code, errc::not_found);
  EXPECT_EQ(v.read_page({1, 2, 3}, fork_number::main, 0, now_, p).error().code, errc::not_found);
}

TEST_F(view_test, an_lsn_outside_the_view_is_refused) {
  const view v = seen();
  page p;
  EXPECT_EQ(v.read_page(table, fork_number::main, 0, now_ + 1, p).error().code, errc::out_of_range);
  EXPECT_EQ(v.value(key::next_oid(), lsn{999}).error().code, errc::out_of_range);
  EXPECT_EQ(v.keys(key::control(), key::next_oid(), lsn{}).error().code, errc::out_of_range);
}

TEST_F(view_test, what_a_truncation_cut_off_stays_away_when_the_fork_grows_again) {
  const lsn before = put_image(7, 'o');
  truncate(5);
  const lsn regrown = extend(10);
  const lsn written = put_image(7, 'n');
  for (const auto& cache :
       {std::shared_ptr<page_cache>{}, std::make_shared<page_cache>(size_t{1} << 20)}) {
    const view v = seen(cache);
    EXPECT_EQ(letters(read(v, 7, before)), "oo");
    EXPECT_EQ(read(v, 7, regrown).data, page{}.data);
    EXPECT_EQ(letters(read(v, 7, written)), "nn");
    EXPECT_EQ(letters(read(v, 7, before)), "oo");
    EXPECT_EQ(read(v, 7, regrown).data, page{}.data);
  }
}

TEST_F(view_test, a_fork_dropped_and_made_again_shows_nothing_of_the_old_one) {
  put_image(2, 'o');
  now_ = now_ + 64;
  layer_->put_absent(size_key, now_);
  const lsn dropped = now_;
  state_ = relation_state::created(now_ + 8);
  const lsn again = extend(4);
  const view v = seen();
  page p;
  EXPECT_EQ(v.read_page(table, fork_number::main, 2, dropped, p).error().code, errc::not_found);
  EXPECT_EQ(read(v, 2, again).data, page{}.data);
}

TEST_F(view_test, a_record_that_cannot_be_redone_spoils_its_page_until_the_next_image) {
  const lsn fine = put_image(3, 'a');
  const lsn bad = put(block_key(3), unknown_record(3));
  const lsn after = put_letter(3, 'b');
  const lsn healed = put_image(3, 'c');
  const view v = seen();
  EXPECT_EQ(letters(read(v, 3, fine)), "aa");
  for (const lsn at : {bad, after}) {
    page p;
    const auto refused = v.read_page(table, fork_number::main, 3, at, p);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::unsupported);
    EXPECT_NE(refused.error().message.find("relation 1663/5/16384 main block 3"), std::string::npos)
        << refused.error().message;
    EXPECT_NE(refused.error().message.find(to_string(bad - 64)), std::string::npos)
        << refused.error().message;
  }
  EXPECT_EQ(letters(read(v, 3, healed)), "cc");
}

TEST_F(view_test, bytes_that_are_no_record_are_named_with_page_and_lsn) {
  const lsn bad = put(block_key(3), bytes(10));
  page p;
  const auto refused = seen().read_page(table, fork_number::main, 3, bad, p);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::corrupt);
  EXPECT_NE(refused.error().message.find("main block 3"), std::string::npos);
  EXPECT_NE(refused.error().message.find(to_string(bad - 64)), std::string::npos);
}

TEST_F(view_test, a_child_reads_its_ancestor_up_to_the_branch_and_then_its_own) {
  put_image(3, 'a');
  const lsn branch = put_letter(3, 'b');
  const auto child = std::make_shared<memory_layer>(branch);
  now_ = branch;
  const lsn of_parent = put_letter(3, 'p');
  now_ = branch;
  const lsn of_child =
      put_into(*child, block_key(3), letter_record(3, 5000, 'c'), record_effect::changes);
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  const view parent_view({{layer_, of_parent}}, lsn{1000}, of_parent, cache);
  const view child_view({{child, of_child}, {layer_, branch}}, lsn{1000}, of_child, cache);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(letters(read(parent_view, 3, of_parent)), "pa");
    EXPECT_EQ(letters(read(child_view, 3, of_child)), "ca");
    EXPECT_EQ(letters(read(child_view, 3, branch)), "ba");
    EXPECT_EQ(letters(read(child_view, 3, of_child - 1)), "ba");
  }
}

TEST_F(view_test, a_copy_is_what_its_source_was_then) {
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

TEST_F(view_test, a_copy_of_a_fork_is_its_blocks_as_they_were_then) {
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

TEST_F(view_test, a_record_may_make_all_the_blocks_that_it_adds_and_no_older_one) {
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

TEST_F(view_test, blocks_that_a_record_adds_carry_their_checksums) {
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

TEST_F(view_test, tells_the_image_that_a_page_and_its_copies_begin_with) {
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
    return image && *image ? static_cast<char>((*image)->data[6000]) : '-';
  };
  EXPECT_EQ(letter_at(table, empty), '-');
  EXPECT_EQ(letter_at(table, old_image), 'a');
  EXPECT_EQ(letter_at(table, source_at), 'b');
  EXPECT_EQ(letter_at(table, now_), 'd');
  EXPECT_EQ(letter_at(copy, now_), 'b');
  EXPECT_EQ(letter_at({9, 9, 9}, now_), '-');
}

TEST_F(view_test, a_fork_that_is_a_copy_of_itself_is_an_error_and_no_endless_loop) {
  now_ = now_ + 64;
  const key all = key::all_blocks(table, fork_number::main);
  layer_->put_copy(all, now_, all, now_);
  page p;
  EXPECT_EQ(seen().read_page(table, fork_number::main, 1, now_, p).error().code, errc::limit);
}

TEST_F(view_test, a_copy_of_itself_is_an_error_and_no_endless_loop) {
  now_ = now_ + 64;
  layer_->put_copy(block_key(1), now_, block_key(1), now_);
  page p;
  EXPECT_EQ(seen().read_page(table, fork_number::main, 1, now_, p).error().code, errc::limit);
}

TEST_F(view_test, a_copy_of_a_block_that_was_not_there_is_damage) {
  now_ = now_ + 64;
  layer_->put_copy(block_key(1), now_, key::block({9, 9, 9}, fork_number::main, 1), now_ - 64);
  page p;
  EXPECT_EQ(seen().read_page(table, fork_number::main, 1, now_, p).error().code, errc::corrupt);
}

TEST_F(view_test, cached_pages_equal_those_made_anew_at_every_lsn) {
  std::vector<lsn> points{put_image(3, 'a')};
  for (int i = 0; i < 40; ++i) {
    points.push_back(i % 11 == 10 ? put_image(3, static_cast<char>('A' + i))
                                  : put_letter(3, static_cast<char>('a' + i % 26)));
    points.push_back(put_letter(4, 'x'));
  }
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  const view with = seen(cache);
  const view without = seen();
  for (const size_t step : {1, 7, 3}) {
    for (size_t i = 0; i < points.size(); ++i) {
      const lsn at = points[i * step % points.size()];
      EXPECT_EQ(read(with, 3, at).data, read(without, 3, at).data) << to_string(at);
    }
  }
  EXPECT_GT(cache->hits(), 0u);
}

TEST_F(view_test, a_page_read_again_where_nothing_changed_comes_from_the_cache) {
  put_image(3, 'a');
  put_letter(3, 'b');
  put_image(4, 'x');
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  const view v = seen(cache);
  read(v, 3, now_ - 1);
  EXPECT_EQ(cache->misses(), 1u);
  read(v, 3, now_);
  EXPECT_EQ(cache->misses(), 1u);
  EXPECT_EQ(cache->hits(), 1u);
}

TEST_F(view_test, a_scan_takes_pages_from_the_cache_and_puts_none_there) {
  put_image(3, 'a');
  put_image(4, 'x');
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  const view v = seen(cache);
  const view scan = v.for_scan();
  read(scan, 3, now_);
  EXPECT_EQ(cache->size_bytes(), 0u);
  read(v, 4, now_);
  read(scan, 4, now_);
  EXPECT_EQ(cache->hits(), 1u);
}
TEST_F(view_test, values_and_keys_are_those_that_exist_at_the_lsn) {
  const lsn first = now_ + 8;
  layer_->put_value(key::two_phase(5), first, as_bytes("five"));
  layer_->put_value(key::two_phase(6), first, as_bytes("six"));
  const lsn second = first + 8;
  layer_->put_absent(key::two_phase(5), second);
  layer_->put_copy(key::two_phase(7), second, key::two_phase(5), first);
  layer_->put_copy(key::two_phase(8), second, key::two_phase(9), first);
  const view v({{layer_, second}}, lsn{1000}, second);
  const auto all = [&](lsn at) { return *v.keys(key::two_phase(0), key::two_phase(99), at); };
  EXPECT_EQ(all(first), (std::vector<key>{key::two_phase(5), key::two_phase(6)}));
  EXPECT_EQ(all(second), (std::vector<key>{key::two_phase(6), key::two_phase(7)}));
  EXPECT_EQ(all(first - 1), std::vector<key>{});
  EXPECT_EQ(as_text(**v.value(key::two_phase(5), first)), "five");
  EXPECT_FALSE(v.value(key::two_phase(5), second)->has_value());
  EXPECT_EQ(as_text(**v.value(key::two_phase(7), second)), "five");
  EXPECT_FALSE(v.value(key::two_phase(8), second)->has_value());
}

TEST_F(view_test, a_change_to_an_slru_page_that_never_was_is_an_error) {
  const lsn at = put(key::slru(slru_kind::xact, 0), unknown_record(1));
  EXPECT_EQ(seen().value(key::slru(slru_kind::xact, 0), at).error().code, errc::corrupt);
  EXPECT_FALSE(seen().value(key::slru(slru_kind::xact, 1), at)->has_value());
}

TEST_F(view_test, a_size_that_is_damaged_is_an_error) {
  now_ = now_ + 64;
  layer_->put_value(size_key, now_, as_bytes("abc"));
  page p;
  EXPECT_EQ(seen().read_page(table, fork_number::main, 1, now_, p).error().code, errc::corrupt);
  EXPECT_EQ(seen().relation(table, fork_number::main, now_).error().code, errc::corrupt);
}

}  // namespace
}  // namespace zenith::layers
