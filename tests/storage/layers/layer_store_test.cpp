// layer_store: what was put is read again from memory and from files; merges, leftovers, limits.
#include "tests/storage/layers/stored_history.hpp"

namespace zenith::layers::layer_store_tests {
namespace {

TEST_F(layer_store_test, without_a_manifest_begins_with_the_base_image) {
  root_.open();
  EXPECT_EQ(root_.store().disk_consistent(), (wal_place{base_at, base_at - 8}));
  EXPECT_FALSE(root_.store().has_manifest());
  EXPECT_EQ(root_.store().map().slices(), 1u);
  root_.put_some(random_, 30);
  root_.expect_right();
  EXPECT_FALSE(must(files_.exists(root_.directory() / manifest_name)));
}

TEST_F(layer_store_test, whose_base_image_is_of_another_lsn_is_refused) {
  auto how = root_.parameters(history::new_registry(files_));
  how.start.at = base_at + 8;
  const auto opened = layer_store::open(std::move(how));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::corrupt);
  EXPECT_NE(opened.error().message.find("base.image"), std::string::npos);
}

TEST_F(layer_store_test, frozen_layers_are_written_oldest_first_and_one_at_a_time) {
  root_.open();
  EXPECT_FALSE(root_.store().freeze(root_.here()));  // nothing in it
  root_.put_some(random_, 10);
  const wal_place first = root_.here();
  EXPECT_TRUE(root_.store().freeze(first));
  root_.put_some(random_, 10);
  const wal_place second = root_.here();
  EXPECT_TRUE(root_.store().freeze(second));
  EXPECT_FALSE(root_.store().freeze(second));
  root_.put_some(random_, 5);
  root_.expect_right();

  const auto job = root_.store().next_write();
  ASSERT_TRUE(job);
  EXPECT_FALSE(root_.store().next_write());
  EXPECT_EQ(root_.store().disk_consistent().at, base_at);
  must(root_.store().install(*job, must(job->run())));
  EXPECT_EQ(root_.store().disk_consistent(), first);
  root_.expect_right();
  EXPECT_TRUE(must(root_.write_one()));
  EXPECT_EQ(root_.store().disk_consistent(), second);
  EXPECT_FALSE(root_.store().next_write());
  EXPECT_EQ(root_.store().frozen_bytes(), 0u);
  EXPECT_EQ(root_.store().recorded().wal_bytes, second.at - base_at);
  EXPECT_GT(root_.store().recorded().flushed_bytes, 0u);
  root_.expect_right();

  root_.open();
  EXPECT_EQ(root_.store().disk_consistent(), second);
  EXPECT_TRUE(root_.store().has_manifest());
  root_.expect_right();
}

TEST_F(layer_store_test, a_job_that_was_given_up_is_given_again_with_other_numbers) {
  root_.open();
  root_.put_some(random_, 10);
  root_.store().freeze(root_.here());
  const auto job = root_.store().next_write();
  EXPECT_EQ(root_.store().unsettled_from(), 1u);
  const auto first = must(job->run());
  root_.store().abandon(*job);
  const auto again = root_.store().next_write();
  ASSERT_TRUE(again);
  EXPECT_EQ(root_.store().unsettled_from(), 2u);
  const auto second = must(again->run());
  EXPECT_NE(first.files.front().name, second.files.front().name);
  must(root_.store().install(*again, second));
  EXPECT_EQ(root_.store().unsettled_from(), 3u);
  root_.expect_right();
}

TEST_F(layer_store_test, merges_keep_every_state_and_leave_few_layers) {
  root_.open();
  for (int round = 0; round < 30; ++round) {
    root_.put_some(random_, 20);
    root_.store().freeze(root_.here());
    root_.write_all();
    root_.merge_all();
    EXPECT_LT(root_.store().map().levels().front().size(), tiny_limits().level0_max);
  }
  EXPECT_GT(root_.store().recorded().merged_bytes, 0u);
  root_.expect_right();
  root_.open();
  root_.expect_right();
}

// A power cut at each operation of it, or the store closed there: what it wrote is gone, and the
// merge that comes later leads to the same.
TEST_F(layer_store_test, a_merge_that_was_interrupted_is_taken_up_again) {
  for (const bool cut_power : {true, false}) {
    bool interrupted = true;
    uint64_t operation = 0;
    for (; interrupted; ++operation) {
      SCOPED_TRACE(fmt::format("operation {}, {}", operation, cut_power ? "power" : "closed"));
      memory_file_system files;
      history one(files, 1);
      one.make_base();
      one.open();
      for (int round = 0; round < 4; ++round) {
        one.put_some(random_, 20);
        one.store().freeze(one.here());
        one.write_all();
      }
      ASSERT_GE(one.store().map().levels().front().size(), tiny_limits().level0_merge_at);
      const auto inputs = one.file_names();
      files.fail_at(files.operations() + operation, memory_file_system::fault::power);
      {
        const auto job = must(one.store().next_merge({}, false));
        ASSERT_TRUE(job);
        const auto written = job->run([] { return false; });
        // Neither given up nor installed: nobody is there any more who could.
        interrupted = !written || !one.store().install(*job, *written);
      }
      one.close();
      if (cut_power)
        files.power_cut();
      else
        files.power_cut_keeping_some(operation);
      one.open();
      // Its inputs, where it came to count, are what a sweep removes.
      const auto named = one.named_files();
      for (const std::string& name : one.file_names())
        ASSERT_TRUE(named.contains(name) || inputs.contains(name)) << name;
      one.expect_right();
      one.merge_all();
      EXPECT_LT(one.store().map().levels().front().size(), tiny_limits().level0_merge_at);
      EXPECT_GT(one.store().recorded().merged_bytes, 0u);
      one.expect_right();
      one.open();
      one.expect_right();
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(operation, 5u);
  }
}

TEST_F(layer_store_test, a_merge_that_is_told_to_stop_removes_what_it_wrote_and_is_given_again) {
  // Enough that it asks more than once whether to stop.
  root_.open();
  for (int round = 0; round < 4; ++round) {
    root_.put_some(random_, 500);
    root_.store().freeze(root_.here());
    root_.write_all();
  }
  const auto before = root_.file_names();
  const auto job = must(root_.store().next_merge({}, false));
  ASSERT_TRUE(job);
  int asked = 0;
  const auto stopped = job->run([&] { return ++asked == 2; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, errc::unavailable);
  EXPECT_EQ(root_.file_names(), before);
  root_.store().abandon(*job);
  EXPECT_TRUE(must(root_.merge_one()));
  root_.expect_right();
}

TEST_F(layer_store_test, views_from_before_a_merge_and_its_sweep_stay_right) {
  root_.open();
  for (int round = 0; round < 4; ++round) {
    root_.put_some(random_, 20);
    root_.store().freeze(root_.here());
    root_.write_all();
  }
  const lsn then = root_.now();
  const view before(root_.store().layers(then), base_at, then);
  const auto names = root_.named_files();
  root_.merge_all();
  EXPECT_NE(root_.named_files(), names);
  const view after(root_.store().layers(then), base_at, then);
  for (uint32_t i = 0; i < 50; ++i)
    for (lsn at = base_at; at <= then; at = at + 8)
      EXPECT_EQ(must(before.value(key::two_phase(i), at)),
                must(after.value(key::two_phase(i), at)));
}

TEST_F(layer_store_test, what_may_go_goes_but_for_points_and_what_is_not_in_files) {
  root_.open();
  lsn point;
  for (int round = 0; round < 20; ++round) {
    root_.put_some(random_, 20);
    if (round == 7) point = root_.now();
    root_.store().freeze(root_.here());
    root_.write_all();
  }
  const lsn horizon = root_.now();
  root_.put_some(random_, 20);
  const retention keep{root_.now(), {point}};
  // Not before it was recorded that older states cannot be read any more.
  root_.merge_all(keep, true);
  root_.expect_right();
  const uint64_t before = root_.store().map().size_bytes();
  must(root_.store().set_readable_from(horizon));
  EXPECT_EQ(root_.store().recorded().readable_from, horizon);
  must(root_.store().set_readable_from(base_at));
  EXPECT_EQ(root_.store().recorded().readable_from, horizon);
  root_.merge_all(keep, true);
  EXPECT_LT(root_.store().map().size_bytes(), before);
  root_.expect_right(horizon);
  root_.expect_right_at(point);
  root_.open();
  EXPECT_EQ(root_.store().recorded().readable_from, horizon);
  root_.expect_right(horizon);
  root_.expect_right_at(point);
}

TEST_F(layer_store_test, unknown_states_outlive_the_layer_that_had_them) {
  root_.open();
  const key k = key::two_phase(3);
  const lsn known = root_.put(k);
  root_.put(key::two_phase(4));
  root_.store().open_layer()->put_unknown(key_pattern::all(key_kind::two_phase), root_.now(),
                                          {errc::corrupt, "the record at 0/4D2"});
  const lsn until = root_.now();
  const auto expect_unknown = [&] {
    const view seen(root_.store().layers(until), base_at, until);
    EXPECT_TRUE(seen.value(k, known));
    const auto read = seen.value(k, until);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find("0/4D2"), std::string::npos) << read.error().message;
  };
  expect_unknown();
  root_.store().freeze(root_.here());
  expect_unknown();
  root_.write_all();
  expect_unknown();
  root_.open();
  expect_unknown();
}

TEST_F(layer_store_test, says_when_it_is_full_and_when_senders_have_to_wait) {
  root_.open();
  EXPECT_FALSE(root_.store().is_full() && root_.store().is_behind());
  for (int i = 0; i < 10'000 && !root_.store().is_full(); ++i) root_.put_some(random_, 1);
  EXPECT_TRUE(root_.store().is_full());
  EXPECT_FALSE(root_.store().is_behind());
  root_.store().freeze(root_.here());
  EXPECT_FALSE(root_.store().is_behind());
  root_.put_some(random_, 5);
  root_.store().freeze(root_.here());
  EXPECT_TRUE(root_.store().is_behind());
  root_.write_all();
  for (int i = 0; i < 3; ++i) {
    root_.put_some(random_, 5);
    root_.store().freeze(root_.here());
    root_.write_all();
  }
  EXPECT_TRUE(root_.store().is_behind());  // with unmerged files
  root_.merge_all();
  EXPECT_FALSE(root_.store().is_behind());
}

TEST_F(layer_store_test, opening_removes_what_jobs_left_that_did_not_end) {
  root_.open();
  root_.put_some(random_, 10);
  root_.store().freeze(root_.here());
  root_.write_all();
  root_.put_some(random_, 10);
  root_.store().freeze(root_.here());
  const auto job = root_.store().next_write();
  must(job->run());
  must(write_file_durably(files_, root_.folder() / "no layer at all", bytes(10)));
  must(write_file_durably(files_, root_.directory() / "manifest~", bytes(10)));
  EXPECT_EQ(root_.file_names().size(), 4u);
  root_.open();
  EXPECT_EQ(root_.file_names(), (std::set<std::string>{"00000001.delta", "base.image"}));
  EXPECT_FALSE(must(files_.exists(root_.directory() / "manifest~")));
  root_.expect_right();
}

TEST_F(layer_store_test, a_damaged_manifest_is_refused_with_its_name) {
  root_.open();
  root_.put_some(random_, 10);
  root_.store().freeze(root_.here());
  root_.write_all();
  must(write_file_durably(files_, root_.directory() / manifest_name, as_bytes("{}")));
  const auto opened = root_.try_open(history::new_registry(files_));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::corrupt);
  EXPECT_NE(opened.error().message.find(manifest_name), std::string::npos);
}

}  // namespace
}  // namespace zenith::layers::layer_store_tests
