// Items of a page: adding, deleting, replacing and compacting as bufpage.c does, on any bytes.
#include "storage/postgres/page_items.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <random>

namespace zenith::pg {
namespace {

constexpr uint16_t has_free_lines = 0x0001;

page empty_page(uint16_t special_bytes = 0) {
  page p;
  page_init(p, special_bytes);
  return p;
}

bytes item_of(size_t size_bytes, int fill) {
  return bytes(size_bytes, static_cast<std::byte>(fill));
}

offset_number add(page& p, const bytes& item, offset_number number = 0, bool heap = false,
                  add_item_mode mode = add_item_mode::insert) {
  const auto got = page_add_item(p, item, number, mode, heap);
  EXPECT_TRUE(got) << got.error().message;
  return got ? *got : 0;
}

bytes content(const page& p, offset_number number) {
  const auto item = item_at(p, number);
  EXPECT_TRUE(item) << item.error().message;
  return item ? bytes(item->begin(), item->end()) : bytes{};
}

uint16_t offset_of(const page& p, offset_number number) {
  return line_pointer_at(p, number)->offset;
}

TEST(page, that_was_initialised_has_the_header_that_page_init_gives) {
  const page p = empty_page(13);
  EXPECT_EQ(page_lower(p), 24);
  EXPECT_EQ(page_upper(p), 8176);
  EXPECT_EQ(page_special(p), 8176);
  EXPECT_EQ(load<uint16_t>(p.begin() + 18), 0x2004);
  EXPECT_EQ(max_offset(p), 0);
  EXPECT_TRUE(check_page_header(p));
  EXPECT_FALSE(page_is_new(p));
  EXPECT_TRUE(page_is_new(page{}));
}

TEST(page, keeps_its_lsn_as_two_halves_with_the_high_one_first) {
  page p;
  set_page_lsn(p, lsn{0x16'B374D848});
  EXPECT_EQ(load<uint32_t>(p.begin()), 0x16u);
  EXPECT_EQ(load<uint32_t>(p.begin() + 4), 0xB374D848u);
  EXPECT_EQ(page_lsn(p), lsn{0x16'B374D848});
}

TEST(page_add_item, puts_items_from_the_special_space_down_at_aligned_offsets) {
  page p = empty_page(16);
  EXPECT_EQ(add(p, item_of(33, 1)), 1);
  EXPECT_EQ(add(p, item_of(8, 2)), 2);
  EXPECT_EQ(page_lower(p), 32);
  EXPECT_EQ(page_upper(p), 8176 - 40 - 8);
  EXPECT_EQ(offset_of(p, 1), 8136);
  EXPECT_EQ(content(p, 1), item_of(33, 1));
  EXPECT_EQ(content(p, 2), item_of(8, 2));
}

TEST(page_add_item, inserts_before_an_item_or_takes_an_unused_line_pointer) {
  page p = empty_page();
  add(p, item_of(16, 1));
  add(p, item_of(16, 2));
  EXPECT_EQ(add(p, item_of(16, 3), 1), 1);
  EXPECT_EQ(content(p, 1), item_of(16, 3));
  EXPECT_EQ(content(p, 2), item_of(16, 1));
  EXPECT_EQ(content(p, 3), item_of(16, 2));

  ASSERT_TRUE(set_line_pointer(p, 2, {}));
  EXPECT_EQ(add(p, item_of(8, 4)), 4) << "without the hint nothing is searched";
  set_page_flags(p, has_free_lines);
  EXPECT_EQ(add(p, item_of(8, 5)), 2);
  EXPECT_EQ(add(p, item_of(8, 6)), 5);
  EXPECT_EQ(page_flags(p), 0) << "a hint that is wrong is taken back";
}

TEST(page_add_item, refuses_what_does_not_fit) {
  page p = empty_page();
  const auto refused = [&](size_t size, offset_number number, add_item_mode mode, bool heap) {
    const page before = p;
    const bool ok = page_add_item(p, item_of(size, 1), number, mode, heap).has_value();
    EXPECT_EQ(before.data, p.data);
    return !ok;
  };
  EXPECT_TRUE(refused(8192 - 24, 0, add_item_mode::insert, false));
  EXPECT_TRUE(refused(100'000, 0, add_item_mode::insert, false));
  EXPECT_TRUE(refused(8, 2, add_item_mode::overwrite, true));
  add(p, item_of(8, 1));
  EXPECT_TRUE(refused(8, 1, add_item_mode::overwrite, true));
  while (max_offset(p) < 291) add(p, item_of(8, 1), 0, true);
  EXPECT_TRUE(refused(8, 0, add_item_mode::insert, true)) << "a heap page has 291 items at most";
  EXPECT_FALSE(page_add_item(p, item_of(1, 1), 0, add_item_mode::insert, false) == 0);
}

TEST(page_repair_fragmentation, orders_items_by_their_numbers_and_drops_unused_ones_at_the_end) {
  page p = empty_page();
  for (int i = 1; i <= 6; ++i) add(p, item_of(24, i), i == 3 ? 1 : 0, true);
  // Numbers now hold 3 1 2 4 5 6; 2, 5 and 6 go, and 4 redirects to 3.
  ASSERT_TRUE(set_line_pointer(p, 2, {}));
  ASSERT_TRUE(set_line_pointer(p, 4, {.offset = 3, .flags = 2, .length = 0}));
  ASSERT_TRUE(set_line_pointer(p, 5, {}));
  ASSERT_TRUE(set_line_pointer(p, 6, {}));
  ASSERT_TRUE(page_repair_fragmentation(p));
  EXPECT_EQ(max_offset(p), 4);
  EXPECT_EQ(page_upper(p), 8192 - 48);
  EXPECT_EQ(offset_of(p, 1), 8192 - 24);
  EXPECT_EQ(content(p, 1), item_of(24, 3));
  EXPECT_EQ(content(p, 3), item_of(24, 2));
  EXPECT_EQ(page_flags(p), has_free_lines);
}

TEST(page_truncate_line_pointers, leaves_one_of_a_page_on_which_none_is_used) {
  page p = empty_page();
  for (int i = 0; i < 4; ++i) add(p, item_of(24, i), 0, true);
  for (offset_number n = 3; n <= 4; ++n) ASSERT_TRUE(set_line_pointer(p, n, {}));
  ASSERT_TRUE(page_truncate_line_pointers(p));
  EXPECT_EQ(max_offset(p), 2);
  EXPECT_EQ(page_flags(p), 0);
  for (offset_number n = 1; n <= 2; ++n) ASSERT_TRUE(set_line_pointer(p, n, {}));
  ASSERT_TRUE(page_truncate_line_pointers(p));
  EXPECT_EQ(max_offset(p), 1);
  EXPECT_EQ(page_flags(p), has_free_lines);
}

TEST(page_index_tuple_overwrite, keeps_the_others_whether_the_item_grows_or_shrinks) {
  for (const size_t size : {8u, 17u, 40u, 200u}) {
    page p = empty_page(16);
    for (int i = 1; i <= 3; ++i) add(p, item_of(32, i));
    ASSERT_TRUE(page_index_tuple_overwrite(p, 2, item_of(size, 9)));
    EXPECT_EQ(content(p, 1), item_of(32, 1));
    EXPECT_EQ(content(p, 2), item_of(size, 9));
    EXPECT_EQ(content(p, 3), item_of(32, 3));
    EXPECT_EQ(page_upper(p), 8176 - 64 - (size + 7) / 8 * 8);
  }
  page p = empty_page(16);
  add(p, item_of(32, 1));
  EXPECT_FALSE(page_index_tuple_overwrite(p, 1, item_of(8176 - 24 - 3, 2)));
  EXPECT_TRUE(page_index_tuple_overwrite(p, 1, item_of(8176 - 32, 2)));
}

// The items that a page should hold, by number: a plain model of an index page.
using model = std::vector<bytes>;

void expect_same(const page& p, const model& expected) {
  ASSERT_EQ(max_offset(p), expected.size());
  size_t total = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(content(p, static_cast<offset_number>(i + 1)), expected[i]);
    total += (expected[i].size() + 7) / 8 * 8;
  }
  EXPECT_EQ(page_upper(p), page_special(p) - total) << "no gap is left between items";
  EXPECT_TRUE(check_page_header(p));
}

TEST(index_page, holds_what_a_list_holds_after_any_inserts_and_deletes) {
  const uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    page p = empty_page(16);
    model expected;
    for (int step = 0; step < 120; ++step) {
      if (expected.size() < 5 || random() % 3 != 0) {
        const bytes item = item_of(8 + random() % 60, static_cast<int>(random()));
        const auto at = static_cast<offset_number>(1 + random() % (expected.size() + 1));
        if (!page_add_item(p, item, at, add_item_mode::insert, false)) continue;
        expected.insert(expected.begin() + (at - 1), item);
      } else if (random() % 2 == 0) {
        const auto at = static_cast<offset_number>(1 + random() % expected.size());
        ASSERT_TRUE(page_index_tuple_delete(p, at));
        expected.erase(expected.begin() + (at - 1));
      } else {
        std::vector<offset_number> numbers;
        model left;
        for (size_t i = 0; i < expected.size(); ++i) {
          if (random() % 3 == 0)
            numbers.push_back(static_cast<offset_number>(i + 1));
          else
            left.push_back(expected[i]);
        }
        ASSERT_TRUE(page_index_multi_delete(p, numbers));
        expected = left;
      }
      expect_same(p, expected);
    }
  }
}

TEST(page_index_tuple_delete_no_compact, leaves_the_numbers_of_the_others) {
  page p = empty_page(8);
  for (int i = 1; i <= 4; ++i) add(p, item_of(24, i));
  ASSERT_TRUE(page_index_tuple_delete_no_compact(p, 2));
  EXPECT_EQ(max_offset(p), 4);
  EXPECT_EQ(line_pointer_at(p, 2)->flags, 0);
  EXPECT_EQ(content(p, 1), item_of(24, 1));
  EXPECT_EQ(content(p, 3), item_of(24, 3));
  EXPECT_EQ(content(p, 4), item_of(24, 4));
  ASSERT_TRUE(page_index_tuple_delete_no_compact(p, 4));
  EXPECT_EQ(max_offset(p), 3);
  EXPECT_EQ(page_upper(p), 8184 - 48);
}

TEST(page_index_multi_delete, refuses_numbers_out_of_order_and_numbers_that_are_not_there) {
  page p = empty_page(16);
  for (int i = 1; i <= 5; ++i) add(p, item_of(24, i));
  const page before = p;
  for (const auto& numbers : std::vector<std::vector<offset_number>>{
           {3, 2}, {1, 2, 2}, {1, 2, 6}, {0, 1, 2}, {1, 3, 2, 4}}) {
    EXPECT_FALSE(page_index_multi_delete(p, numbers));
    EXPECT_EQ(p.data, before.data);
  }
}

// Every operation on pages of random bytes: no crash, and nothing written beside the page.
TEST(damaged_page, is_refused_or_changed_only_inside_itself) {
  const uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  const page fence = [] {
    page p;
    p.data.fill(std::byte{0xA5});
    return p;
  }();
  for (int round = 0; round < 20'000; ++round) {
    std::array<page, 3> pages{fence, page{}, fence};
    page& p = pages[1];
    for (size_t i = 0; i < page_size_bytes; i += 4)
      store(p.begin() + i, static_cast<uint32_t>(random()));
    // Mostly plausible headers, so that the checks behind them are reached.
    if (random() % 8 != 0) {
      const auto special = static_cast<uint16_t>(8192 - 8 * (random() % 5));
      const auto lower = static_cast<uint16_t>(24 + random() % 400);
      store<uint16_t>(p.begin() + 12, lower);
      store<uint16_t>(p.begin() + 16, special);
      store<uint16_t>(p.begin() + 14, static_cast<uint16_t>(lower + random() % (special - lower)));
      for (size_t at = 24; random() % 4 != 0 && at + 4 <= lower; at += 4)
        store(p.begin() + at,
              static_cast<uint32_t>((random() % 1024) * 8 | 1u << 15 | (random() % 100) << 17));
    }
    const auto number = static_cast<offset_number>(random() % 60);
    const bytes item = item_of(random() % 300, 7);
    const std::array<offset_number, 4> numbers{1, 2, static_cast<offset_number>(number + 2),
                                               static_cast<offset_number>(number + 9)};
    switch (random() % 9) {
      case 0:
        std::ignore = page_repair_fragmentation(p);
        break;
      case 1:
        std::ignore = page_truncate_line_pointers(p);
        break;
      case 2:
        std::ignore = page_index_tuple_delete(p, number);
        break;
      case 3:
        std::ignore = page_index_tuple_delete_no_compact(p, number);
        break;
      case 4:
        std::ignore = page_index_tuple_overwrite(p, number, item);
        break;
      case 5:
        std::ignore = page_index_multi_delete(p, numbers);
        break;
      case 6:
        std::ignore = page_add_item(p, item, number, add_item_mode::insert, true);
        break;
      case 7:
        std::ignore = page_add_item(p, item, 0, add_item_mode::overwrite, false);
        break;
      default: {
        const auto view = item_at(std::as_const(p), number);
        if (view) {
          EXPECT_GE(view->data(), p.begin());
          EXPECT_LE(view->data() + view->size(), p.begin() + page_size_bytes);
        }
        std::ignore = special_space(p);
      }
    }
    ASSERT_EQ(pages[0].data, fence.data);
    ASSERT_EQ(pages[2].data, fence.data);
  }
}

}  // namespace
}  // namespace zenith::pg
