// Checkpoints as PostgreSQL's struct, and as the record that a clean shutdown writes.
#include "storage/postgres/checkpoint.hpp"

#include <gtest/gtest.h>

#include "storage/postgres/record.hpp"
#include "tests/support/sample_checkpoint.hpp"

namespace zenith::pg {
namespace {

using zenith::testing::sample_checkpoint;

TEST(checkpoint, keeps_every_field_and_lies_in_a_record_of_114_bytes) {
  EXPECT_EQ(decode_checkpoint(encode_checkpoint(sample_checkpoint())).value(), sample_checkpoint());
  const bytes raw = build_shutdown_checkpoint_record(sample_checkpoint(), lsn{0x1FFFF00});
  ASSERT_EQ(raw.size(), 114u);
  ASSERT_TRUE(check_record_crc(raw, lsn{0x2000028}));
  record r;
  ASSERT_TRUE(decode_record(raw, lsn{0x2000028}, lsn{0x20000A0}, r));
  EXPECT_EQ(describe(r), "XLOG/CHECKPOINT_SHUTDOWN at 0/2000028");
  EXPECT_EQ(r.previous, lsn{0x1FFFF00});
  EXPECT_EQ(decode_checkpoint(r.main_data).value(), sample_checkpoint());
  EXPECT_FALSE(decode_checkpoint(r.main_data.first(87)));
}

}  // namespace
}  // namespace zenith::pg
