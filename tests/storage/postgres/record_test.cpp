// Records taken apart: what they say is given out, and what does not fit together is refused.
#include "storage/postgres/record.hpp"

#include <gtest/gtest.h>

#include "tests/support/record_builder.hpp"

namespace zenith::pg {
namespace {

using zenith::testing::record_builder;

constexpr lsn start{0x1529A68};
constexpr lsn end{0x1529B00};

bytes pattern(size_t size_bytes, int seed) {
  bytes out(size_bytes);
  for (size_t i = 0; i < size_bytes; ++i) out[i] = static_cast<std::byte>(i * 7 + seed);
  return out;
}
bool same(byte_view a, byte_view b) { return std::ranges::equal(a, b); }

// A record with everything that a header can say.
bytes rich_record() {
  record_builder builder(resource_manager::heap, 0x80, 742, lsn{0x1529A00});
  builder.add({.id = 0, .number = 7, .will_init = true, .data = pattern(33, 1)});
  builder.add({.id = 1,
               .number = 8,
               .same_relation = true,
               .full_page = record_builder::image{
                   pattern(8192 - 4000, 2), 200, 4000,
                   zenith::testing::image_has_hole | zenith::testing::image_apply}});
  builder.add({.id = 5,
               .relation = {1664, 0, 1262},
               .fork = fork_number::vm,
               .number = 9,
               .full_page = record_builder::image{pattern(300, 3), 100, 4096,
                                                  zenith::testing::image_has_hole |
                                                      zenith::testing::image_lz4},
               .data = pattern(5, 4)});
  builder.origin(3).toplevel_xid(740).main_data(pattern(300, 5));
  return builder.finish();
}

std::string error_of(byte_view raw) {
  record r;
  const auto done = decode_record(raw, start, end, r);
  return done ? "" : done.error().message;
}

TEST(record, gives_out_everything_that_its_bytes_say) {
  const bytes raw = rich_record();
  ASSERT_TRUE(check_record_crc(raw, start));
  record r;
  ASSERT_TRUE(decode_record(raw, start, end, r)) << error_of(raw);
  EXPECT_EQ(r.start, start);
  EXPECT_EQ(r.end, end);
  EXPECT_EQ(r.previous, lsn{0x1529A00});
  EXPECT_EQ(r.xid, 742u);
  EXPECT_EQ(r.total_length_bytes, raw.size());
  EXPECT_EQ(r.origin, 3);
  EXPECT_EQ(r.toplevel_xid, 740u);
  EXPECT_TRUE(same(r.main_data, pattern(300, 5)));
  ASSERT_EQ(r.blocks().size(), 3u);

  const block_reference& first = r.blocks()[0];
  EXPECT_EQ(to_string(first.relation), "1663/5/16384");
  EXPECT_EQ(first.block, 7u);
  EXPECT_TRUE(first.will_init && first.initialises() && !first.has_image);
  EXPECT_TRUE(same(first.data, pattern(33, 1)));

  const block_reference& second = r.blocks()[1];
  EXPECT_EQ(second.relation, first.relation);
  EXPECT_EQ(second.image.hole_length, 4000);
  EXPECT_EQ(second.image.hole_offset, 200);
  EXPECT_TRUE(second.image.apply && second.initialises());
  EXPECT_TRUE(same(second.image.data, pattern(4192, 2)));
  EXPECT_TRUE(second.data.empty());

  const block_reference* third = r.block(5);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(third, &r.blocks()[2]);
  EXPECT_EQ(third->fork, fork_number::vm);
  EXPECT_EQ(third->image.hole_length, 4096);
  EXPECT_FALSE(third->image.apply || third->initialises());
  EXPECT_TRUE(same(third->data, pattern(5, 4)));
  EXPECT_EQ(r.block(2), nullptr);
}

TEST(record, leaves_nothing_behind_for_the_next_one_decoded_into_the_same_place) {
  const bytes raw = rich_record();
  const bytes plain =
      record_builder(resource_manager::heap, 0).add({.id = 0, .number = 1}).finish();
  record r;
  ASSERT_TRUE(decode_record(raw, start, end, r));
  ASSERT_TRUE(decode_record(plain, start, end, r));
  ASSERT_EQ(r.blocks().size(), 1u);
  EXPECT_FALSE(r.origin || r.toplevel_xid);
  EXPECT_TRUE(r.main_data.empty() && r.blocks()[0].data.empty());
  EXPECT_FALSE(r.blocks()[0].has_image || r.blocks()[0].will_init || r.blocks()[0].image.apply);
}

TEST(record, may_refer_to_33_blocks) {
  record_builder builder(resource_manager::xlog, 0xB0);
  for (uint8_t id = 0; id < 33; ++id) builder.add({.id = id, .number = id});
  record r;
  ASSERT_TRUE(decode_record(builder.finish(), start, end, r));
  EXPECT_EQ(r.blocks().size(), 33u);
  EXPECT_EQ(r.block(32)->block, 32u);
}

TEST(record, cut_anywhere_is_refused) {
  const bytes raw = rich_record();
  record r;
  for (size_t length = 0; length < raw.size(); ++length) {
    bytes cut(raw.begin(), raw.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_FALSE(decode_record(cut, start, end, r)) << length;
    EXPECT_FALSE(check_record_crc(cut, start)) << length;
    if (length < 4) continue;
    // Where its own length agrees, only the CRC can tell; decoding stays inside what is there.
    store(cut.data(), static_cast<uint32_t>(length));
    if (!decode_record(cut, start, end, r)) continue;
    EXPECT_LE(r.main_data.size(), length);
    EXPECT_FALSE(check_record_crc(cut, start)) << length;
  }
}

TEST(record, with_any_byte_changed_fails_its_crc_and_never_reads_outside_itself) {
  const bytes raw = rich_record();
  record r;
  for (size_t at = 0; at < raw.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes changed = raw;
      changed[at] ^= static_cast<std::byte>(1 << bit);
      const bool in_padding = at == 18 || at == 19;  // counted in the CRC, read by no one
      EXPECT_FALSE(check_record_crc(changed, start)) << at;
      if (decode_record(changed, start, end, r)) {
        size_t total = r.main_data.size();
        page p;
        for (const block_reference& b : r.blocks()) {
          total += b.image.data.size() + b.data.size();
          if (b.has_image) std::ignore = restore_image(b, start, p);
        }
        EXPECT_LE(total, changed.size());
      } else {
        EXPECT_FALSE(in_padding);
      }
    }
  }
}

TEST(record, says_what_is_wrong_and_where) {
  const auto build = [](const record_builder::block& b) {
    return record_builder(resource_manager::heap, 0).add(b).finish();
  };
  EXPECT_EQ(error_of(build({.id = 0, .same_relation = true})),
            "WAL record at 0/1529A68: block 0: same relation as the block before it, but is the "
            "first");
  EXPECT_EQ(error_of(build({.id = 40})), "WAL record at 0/1529A68: invalid block id 40");
  EXPECT_EQ(error_of(build({.id = 0, .fork = static_cast<fork_number>(7)})),
            "WAL record at 0/1529A68: block 0: unknown fork 7");
  EXPECT_EQ(
      error_of(record_builder(resource_manager::heap, 0).add({.id = 3}).add({.id = 3}).finish()),
      "WAL record at 0/1529A68: block id 3 follows block id 3");
  EXPECT_EQ(error_of(record_builder(static_cast<resource_manager>(99), 0).finish()),
            "WAL record at 0/1529A68: unknown resource manager 99");
  const auto with_image = [&](size_t size_bytes, uint16_t offset, uint16_t length, uint8_t info) {
    return error_of(
        build({.id = 0,
               .full_page = record_builder::image{pattern(size_bytes, 0), offset, length, info}}));
  };
  EXPECT_EQ(with_image(8192, 0, 0, 0), "");
  EXPECT_EQ(with_image(8000, 0, 0, 0),
            "WAL record at 0/1529A68: block 0: image without a hole names one of 192 bytes at "
            "offset 0");
  EXPECT_NE(with_image(8192, 100, 0, zenith::testing::image_has_hole), "");
  EXPECT_NE(with_image(9000, 100, 0, zenith::testing::image_has_hole), "");
  EXPECT_NE(with_image(8192, 0, 0, zenith::testing::image_zstd), "");
  EXPECT_EQ(
      with_image(192, 400, 7900, zenith::testing::image_has_hole | zenith::testing::image_zstd),
      "WAL record at 0/1529A68: block 0: a hole of 7900 bytes at offset 400 leaves the page");
}

TEST(record, is_named_as_pg_waldump_names_it) {
  record r;
  ASSERT_TRUE(decode_record(rich_record(), start, end, r));
  EXPECT_EQ(describe(r), "Heap/INSERT+INIT at 0/1529A68");
  EXPECT_EQ(record_name(resource_manager::transaction, 0x80), "COMMIT");
  EXPECT_EQ(record_name(resource_manager::heap, 0x90), "UNKNOWN (90)");
  EXPECT_EQ(record_name(resource_manager::btree, 0xE0), "META_CLEANUP");
  EXPECT_EQ(record_name(resource_manager::generic, 0), "Generic");
  EXPECT_EQ(resource_manager_name(resource_manager::logical_message), "LogicalMessage");
  EXPECT_EQ(resource_manager_name(static_cast<resource_manager>(128)), "custom128");
}

}  // namespace
}  // namespace zenith::pg
