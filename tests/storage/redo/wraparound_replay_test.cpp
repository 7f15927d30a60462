// A real server whose numbers go round: transaction ids, multixacts and their members past 2^32.
#include <gtest/gtest.h>

#include "tests/storage/redo/observed_server.hpp"
#include "tests/support/last_numbers.hpp"

namespace zenith::testing {
namespace {

class wraparound : public ::testing::Test {
 protected:
  void start_before_the_end() {
    use_up_numbers(server);
    observed.begin_here();
    server.start();
  }

  bool has(slru_kind slru, uint32_t page_number) const {
    return observed.files().values.contains(key::slru(slru, page_number));
  }

  observed_server observed{"track_commit_timestamp=on\nsynchronous_commit=off\n"};
  postgres_server& server = observed.server();
};

TEST_F(wraparound, of_ids_multixacts_and_members_leaves_what_the_server_has) {
  start_before_the_end();
  take_transaction_ids(server, 50'000);
  take_multixacts(server, 4'000);
  observed.stop_and_replay();
  EXPECT_EQ(observed.sink().number(key::next_full_xid()) >> 32, 5u);
  EXPECT_TRUE(has(slru_kind::xact, first_xid / 32768));
  EXPECT_TRUE(has(slru_kind::xact, 0));
  EXPECT_TRUE(has(slru_kind::commit_ts, UINT32_MAX / 819));
  EXPECT_TRUE(has(slru_kind::multixact_offsets, UINT32_MAX / 2048));
  EXPECT_TRUE(has(slru_kind::multixact_offsets, 1));
  EXPECT_TRUE(has(slru_kind::multixact_members, UINT32_MAX / 1636));
  EXPECT_TRUE(has(slru_kind::multixact_members, 2));
}

TEST_F(wraparound, and_a_truncation_after_it_leave_what_the_server_has) {
  start_before_the_end();
  take_transaction_ids(server, 50'000);
  take_multixacts(server, 4'000);
  take_transaction_ids(server, 1'000'000);  // past a segment of pg_xact
  freeze_everything(server);
  observed.stop_and_replay();
  EXPECT_FALSE(has(slru_kind::xact, first_xid / 32768));
  EXPECT_FALSE(has(slru_kind::commit_ts, UINT32_MAX / 819));
  EXPECT_FALSE(has(slru_kind::multixact_offsets, UINT32_MAX / 2048));
  EXPECT_FALSE(has(slru_kind::multixact_members, UINT32_MAX / 1636));
}

}  // namespace
}  // namespace zenith::testing
