// merge_history: what a merge asks of the whole history.
#include "storage/layers/merge_history.hpp"

#include "tests/storage/layers/view_fixture.hpp"

namespace zenith::layers {
namespace {

TEST_F(view_test, records_common_to_blocks_are_found_below_a_copy_of_the_whole_fork) {
  const key all = key::all_blocks(table, fork_number::main);
  std::vector<lsn> starts;
  const auto put_common = [&] {
    starts.push_back(now_);
    put(all, image_record(0, 'c'), record_effect::initialises);
  };
  put_common();
  put_common();
  now_ = now_ + 64;
  layer_->put_copy(all, now_, key::all_blocks({1663, 5, 1}, fork_number::main), now_ - 8);
  put_common();
  now_ = now_ + 64;
  layer_->put_copy(all, now_, key::all_blocks({1663, 5, 1}, fork_number::main), now_ - 8);
  layer_->publish(now_);
  const merge_history history({{layer_, now_}}, {}, page_checksums::off);
  EXPECT_EQ(history.common_records(table, fork_number::main).value(), starts);
}

}  // namespace
}  // namespace zenith::layers
