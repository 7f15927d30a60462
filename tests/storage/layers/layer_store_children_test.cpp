// layer_store: children share layers; errors and power cuts at every step lose nothing.
#include "tests/storage/layers/stored_history.hpp"

namespace zenith::layers::layer_store_tests {
namespace {

class children : public layer_store_test {
 protected:
  children() { root_.open(registry_); }
  std::shared_ptr<layer_files> registry_ = history::new_registry(files_);
};

TEST_F(children, share_files_and_memory_and_have_no_folder_before_they_write) {
  root_.put_some(random_, 30);
  root_.store().freeze(root_.here());
  root_.write_all();
  root_.put_some(random_, 10);
  root_.store().freeze(root_.here());
  root_.put_some(random_, 10);
  const lsn at = root_.now() - 16;
  history child = root_.child(2, at);
  child.open(registry_, root_.store().inherited_at(at));
  root_.put_some(random_, 10);
  child.expect_right();
  EXPECT_TRUE(child.store().waits_for_parent());
  child.put_some(random_, 20);
  child.expect_right();
  EXPECT_TRUE(child.store().freeze(child.here()));
  EXPECT_FALSE(child.store().next_write());
  EXPECT_FALSE(must(child.merge_one()));
  EXPECT_TRUE(child.file_names().empty());

  root_.store().freeze(root_.here());
  root_.write_all();
  child.store().inherit(root_.store().inherited_at(at), base_at);
  EXPECT_FALSE(child.store().waits_for_parent());
  child.expect_right();
  child.write_all();
  EXPECT_TRUE(child.store().has_manifest());
  EXPECT_EQ(child.file_names().size(), 1u);
  child.expect_right();
  // From now on its parent is not asked.
  child.open(history::new_registry(files_));
  child.expect_right();
  child.merge_all();
  child.expect_right();
  root_.expect_right();
}

TEST_F(children, with_neither_a_manifest_nor_anything_inherited_are_refused) {
  history child = root_.child(2, root_.put(key::two_phase(1)));
  const auto opened = child.try_open(registry_, inherited_layers{});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::invalid_argument);
}

TEST_F(children, that_leave_before_what_is_in_memory_wait_for_nobody) {
  root_.put_some(random_, 30);
  root_.store().freeze(root_.here());
  root_.write_all();
  const lsn at = root_.now();
  root_.put_some(random_, 10);
  for (const lsn left : {at, at - 80}) {
    history child = root_.child(left == at ? 2 : 3, left);
    child.open(registry_, root_.store().inherited_at(left));
    EXPECT_FALSE(child.store().waits_for_parent());
    child.put_some(random_, 10);
    child.store().freeze(child.here());
    child.write_all();
    child.expect_right();
  }
}

TEST_F(children, that_leave_after_records_that_changed_nothing_wait_for_nobody) {
  root_.put_some(random_, 30);
  root_.store().freeze(root_.here());
  root_.write_all();
  const lsn left = root_.now() + 64;
  root_.store().open_layer()->publish(left);
  EXPECT_FALSE(root_.store().freeze({left, left - 64}));
  history child = root_.child(2, left);
  child.open(registry_, root_.store().inherited_at(left));
  EXPECT_FALSE(child.store().waits_for_parent());
}

TEST_F(children, of_children_read_through_one_map_whoever_merges) {
  std::vector<std::unique_ptr<history>> line;
  const auto step = [&](history& of) {
    for (int round = 0; round < 3; ++round) {
      of.put_some(random_, 15);
      of.store().freeze(of.here());
      of.write_all();
      if (random_() % 2 == 0) of.merge_all();
    }
  };
  step(root_);
  history* parent = &root_;
  for (uint8_t depth = 2; depth < 8; ++depth) {
    const lsn at = parent->now() - 8 * (random_() % 10);
    line.push_back(std::make_unique<history>(parent->child(depth, at)));
    line.back()->open(registry_, parent->store().inherited_at(at));
    step(*line.back());
    parent = line.back().get();
  }
  root_.merge_all();
  for (const auto& one : line) {
    one->merge_all();
    one->expect_right();
    EXPECT_LT(one->store().map().depth(), 12u);
  }
  for (const auto& one : line) {
    one->open(history::new_registry(files_));
    one->expect_right();
  }
}

/// What is done with one fault somewhere; gives whether all of it went well.
class layer_store_faults : public ::testing::Test {
 protected:
  static constexpr int rounds = 6;

  static bool work(history& root, std::mt19937_64& random) {
    bool all_well = true;
    for (int round = 0; round < rounds; ++round) {
      root.put_some(random, 15);
      root.store().freeze(root.here());
      if (!root.write_one()) all_well = false;
      if (!root.merge_one()) all_well = false;
      if (!root.store().set_readable_from(base_at)) all_well = false;
    }
    return all_well;
  }
};

TEST_F(layer_store_faults, an_io_error_at_any_step_leaves_the_old_state_and_work_goes_on) {
  for (uint64_t step = 0;; ++step) {
    memory_file_system files;
    history root(files, 1);
    root.make_base();
    root.open();
    std::mt19937_64 random(9);
    const auto fault =
        step % 2 == 0 ? memory_file_system::fault::io_error : memory_file_system::fault::no_space;
    const uint64_t at = files.operations() + step;
    files.fail_at(at, fault);
    const bool well = work(root, random);
    const bool happened = files.operations() > at;
    root.expect_right();
    root.write_all();
    root.merge_all();
    root.expect_right();
    EXPECT_EQ(root.store().disk_consistent().at, root.now()) << step;
    files.power_cut();
    root.open();
    EXPECT_EQ(root.store().disk_consistent().at, root.now()) << step;
    root.expect_right();
    if (HasFailure()) FAIL() << "step " << step;
    if (!happened) {
      EXPECT_TRUE(well);
      break;
    }
  }
}

TEST_F(layer_store_faults, a_power_cut_at_any_step_loses_nothing_that_was_installed) {
  for (uint64_t step = 0;; ++step) {
    memory_file_system files;
    history root(files, 1);
    root.make_base();
    root.open();
    std::mt19937_64 random(9);
    const uint64_t at = files.operations() + step;
    files.fail_at(at, memory_file_system::fault::power);
    work(root, random);
    const bool happened = files.operations() > at;
    const lsn installed = root.store().disk_consistent().at;
    root.close();
    if (step % 3 == 0)
      files.power_cut();
    else
      files.power_cut_keeping_some(step);
    root.open();
    EXPECT_GE(root.store().disk_consistent().at, installed) << step;
    root.expect_right();
    // Once more, to see that opening has not built on what was not durable.
    files.power_cut();
    root.open();
    root.expect_right();
    root.store().freeze(root.here());
    root.write_all();
    root.merge_all();
    root.expect_right();
    if (HasFailure()) FAIL() << "step " << step;
    if (!happened) break;
  }
}

}  // namespace
}  // namespace zenith::layers::layer_store_tests
