// view: what a key, a fork and a page are at an LSN, from hand-made versions.
#include "storage/layers/view.hpp"

#include "tests/storage/layers/view_fixture.hpp"

namespace zenith::layers {
namespace {

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
  const history_list histories = root_histories();
  const view parent_view({{layer_, of_parent}}, lsn{1000}, of_parent, {cache, histories});
  const view child_view({{child, of_child}, {layer_, branch}}, lsn{1000}, of_child,
                        {cache, child_histories(histories, branch)});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(letters(read(parent_view, 3, of_parent)), "pa");
    EXPECT_EQ(letters(read(child_view, 3, of_child)), "ca");
    EXPECT_EQ(letters(read(child_view, 3, branch)), "ba");
    EXPECT_EQ(letters(read(child_view, 3, of_child - 1)), "ba");
  }
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
  EXPECT_GT(cache->pages.hits(), 0u);
}

TEST_F(view_test, a_page_read_again_where_nothing_changed_comes_from_the_cache) {
  put_image(3, 'a');
  put_letter(3, 'b');
  put_image(4, 'x');
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  const view v = seen(cache);
  read(v, 3, now_ - 1);
  EXPECT_EQ(cache->pages.misses(), 1u);
  read(v, 3, now_);
  EXPECT_EQ(cache->pages.misses(), 1u);
  EXPECT_EQ(cache->pages.hits(), 1u);
}

TEST_F(view_test, a_shared_page_is_the_one_that_the_cache_has) {
  put_image(3, 'a');
  const lsn before = put_letter(3, 'b');
  const lsn after = put_letter(3, 'c');
  const auto cache = std::make_shared<page_cache>(1 << 20);
  const view cached = seen(cache);
  const auto shared = [&](const view& from, lsn at) {
    auto found = from.shared_page(table, fork_number::main, 3, at);
    EXPECT_TRUE(found) << found.error().message;
    return *found;
  };
  const auto first = shared(cached, after);
  EXPECT_EQ(letters(*first), "ca");
  EXPECT_EQ(shared(cached, after), first) << "no copy is made of it";
  EXPECT_EQ(letters(*shared(cached, before)), "ba");
  EXPECT_EQ(letters(*shared(cached, now_)), "ca");
  EXPECT_EQ(read(cached, 3, after).data, first->data);
  EXPECT_EQ(letters(*shared(seen(), after)), "ca") << "without a cache it is its holder's";
  const auto missing = cached.shared_page(table, fork_number::main, 10, after);
  EXPECT_EQ(missing.error().code, errc::out_of_range);
}

TEST_F(view_test, a_scan_takes_pages_from_the_cache_and_puts_none_there) {
  put_image(3, 'a');
  put_image(4, 'x');
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  const view v = seen(cache);
  const view scan = v.for_scan();
  read(scan, 3, now_);
  EXPECT_EQ(cache->pages.size_bytes(), 0u);
  read(v, 4, now_);
  read(scan, 4, now_);
  EXPECT_EQ(cache->pages.hits(), 1u);
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
