// key_history: what layers add to it, and where that ends.
#include "storage/layers/key_history.hpp"

#include <gtest/gtest.h>

namespace zenith::layers {
namespace {

TEST(key_history, tells_its_newest_version_whatever_that_is) {
  key_history history;
  EXPECT_FALSE(history.found());
  ASSERT_TRUE(history.add({lsn{90}, lsn{100}, as_bytes("newer")}));
  ASSERT_TRUE(history.add({lsn{40}, lsn{50}, as_bytes("older")}));
  history.end_with_value(lsn{30}, as_bytes("base"));
  EXPECT_EQ(history.newest, lsn{100});
  history.clear();
  EXPECT_FALSE(history.found());
  history.end_with_copy(lsn{70}, key::next_oid(), lsn{60});
  EXPECT_EQ(history.newest, lsn{70});
  history.clear();
  history.end_with_absence(lsn{80});
  EXPECT_EQ(history.newest, lsn{80});
}

TEST(key_history, more_bytes_than_a_read_may_gather_are_refused) {
  // The same bytes over and over: what is bounded is what they are said to be.
  const bytes record(64 << 20);
  key_history history;
  uint64_t taken = 0;
  for (;; taken += record.size()) {
    const auto added = history.add({lsn{1000}, lsn{2000}, record});
    if (added) continue;
    EXPECT_EQ(added.error().code, errc::limit);
    break;
  }
  EXPECT_EQ(taken, key_history::record_bytes_max);
  history.clear();
  EXPECT_TRUE(history.add({lsn{1000}, lsn{2000}, record}));
}

}  // namespace
}  // namespace zenith::layers
