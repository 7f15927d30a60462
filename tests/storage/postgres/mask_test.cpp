// Masks: what may differ without WAL is taken out, all else stays, on any bytes.
#include "storage/postgres/mask.hpp"

#include <gtest/gtest.h>

#include <random>

#include "storage/postgres/page_items.hpp"

namespace zenith::pg {
namespace {

TEST(mask, hides_lsn_checksum_and_free_space_but_nothing_of_a_tuple) {
  page p;
  page_init(p, 16);
  bytes tuple(40, std::byte{1});
  ASSERT_TRUE(page_add_item(p, tuple, 1, add_item_mode::insert, false));
  page other = p;
  set_page_lsn(other, lsn{0x123456});
  other.begin()[page_lower(other) + 3] = std::byte{9};
  page first = p, second = other;
  mask_page(resource_manager::generic, 0, first);
  mask_page(resource_manager::generic, 0, second);
  EXPECT_EQ(first.data, second.data);
  other.begin()[page_upper(other)] = std::byte{9};
  second = other;
  mask_page(resource_manager::generic, 0, second);
  EXPECT_NE(first.data, second.data);
}

// A heap page with one tuple of 30 bytes; infomask and infomask2 as given.
page heap_page(uint16_t infomask) {
  page p;
  page_init(p, 0);
  bytes tuple(30, std::byte{0x77});
  store(tuple.data() + 20, infomask);
  EXPECT_TRUE(page_add_item(p, tuple, 0, add_item_mode::insert, true));
  return p;
}

bool same_when_masked(resource_manager rmgr, page a, page b) {
  mask_page(rmgr, 3, a);
  mask_page(rmgr, 3, b);
  return a.data == b.data;
}

constexpr size_t tuple_at = 8192 - 32;
constexpr uint16_t xmin_committed = 0x0100, xmin_frozen = 0x0300, xmax_invalid = 0x0800;

TEST(mask, hides_what_a_heap_page_may_change_without_wal) {
  const page base = heap_page(0);
  const auto hidden = [&](auto change) {
    page other = base;
    change(other);
    return same_when_masked(resource_manager::heap, base, other);
  };
  EXPECT_TRUE(hidden([](page& p) { set_page_lsn(p, lsn{0x1234}); }));
  EXPECT_TRUE(hidden([](page& p) { store<uint16_t>(p.begin() + 8, 99); })) << "the checksum";
  EXPECT_TRUE(hidden([](page& p) { set_page_flags(p, 7); })) << "hints";
  EXPECT_TRUE(hidden([](page& p) { store<uint32_t>(p.begin() + 20, 740); })) << "pd_prune_xid";
  EXPECT_TRUE(hidden([](page& p) { p.data[4000] = std::byte{1}; })) << "the hole";
  EXPECT_TRUE(hidden([](page& p) { store<uint32_t>(p.begin() + tuple_at + 8, 5); })) << "t_cid";
  EXPECT_TRUE(hidden([](page& p) { store(p.begin() + tuple_at + 20, xmin_committed); }));
  EXPECT_TRUE(hidden([](page& p) { p.data[8191] = std::byte{1}; })) << "padding";
  EXPECT_FALSE(hidden([](page& p) { store<uint32_t>(p.begin() + tuple_at, 5); })) << "xmin";
  EXPECT_FALSE(hidden([](page& p) { p.data[tuple_at + 29] = std::byte{1}; })) << "the last byte";
  EXPECT_FALSE(hidden([](page& p) { store<uint16_t>(p.begin() + tuple_at + 18, 1); }));
  EXPECT_FALSE(hidden([](page& p) { set_page_flags(p, 8); }));
}

TEST(mask, keeps_the_hints_of_a_frozen_tuple_but_for_its_xmax) {
  const auto heap = resource_manager::heap;
  EXPECT_TRUE(
      same_when_masked(heap, heap_page(xmin_frozen), heap_page(xmin_frozen | xmax_invalid)));
  EXPECT_FALSE(same_when_masked(heap, heap_page(xmin_frozen), heap_page(xmin_committed)));
}

// Stock recovery stops at such a page: "inconsistent page found", Heap/LOCK of a frozen row that
// its inserter had deleted in a subtransaction that was rolled back.
TEST(mask, hides_the_kind_of_command_id_of_a_frozen_tuple) {
  constexpr uint16_t combo_command_id = 0x0020;
  EXPECT_TRUE(same_when_masked(resource_manager::heap, heap_page(xmin_frozen),
                               heap_page(xmin_frozen | combo_command_id)));
}

TEST(mask, hides_line_pointer_flags_on_btree_leaves_only) {
  const auto leaf = [](uint16_t flags, uint8_t pointer_flags, uint16_t cycle) {
    page p;
    page_init(p, 16);
    EXPECT_TRUE(page_add_item(p, bytes(16), 0, add_item_mode::insert, false));
    auto pointer = *line_pointer_at(p, 1);
    pointer.flags = pointer_flags;
    EXPECT_TRUE(set_line_pointer(p, 1, pointer));
    store(p.begin() + 8192 - 4, flags);
    store(p.begin() + 8192 - 2, cycle);
    return p;
  };
  const auto btree = resource_manager::btree;
  EXPECT_TRUE(same_when_masked(btree, leaf(1, 1, 0), leaf(1, 3, 9)));
  EXPECT_TRUE(same_when_masked(btree, leaf(1, 1, 0), leaf(1 | 0x40 | 0x20, 1, 0)));
  EXPECT_FALSE(same_when_masked(btree, leaf(1, 1, 0), leaf(0, 1, 0)));
  EXPECT_FALSE(same_when_masked(btree, leaf(0, 1, 0), leaf(0, 3, 0)));
}

TEST(mask, takes_any_bytes_as_a_page) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    page p;
    if (round % 2 == 0) page_init(p, 16);
    for (auto& byte : p.data)
      if (random() % 16 == 0) byte = static_cast<std::byte>(random());
    for (unsigned rmgr = 0; rmgr < 24; ++rmgr) {
      page masked = p;
      mask_page(static_cast<resource_manager>(rmgr), 7, masked);
      EXPECT_EQ(page_lsn(masked), lsn{});
    }
  }
}

TEST(mask, ten_resource_managers_have_one) {
  unsigned count = 0;
  for (unsigned rmgr = 0; rmgr < 256; ++rmgr)
    count += has_mask(static_cast<resource_manager>(rmgr));
  EXPECT_EQ(count, 10u);
}

}  // namespace
}  // namespace zenith::pg
