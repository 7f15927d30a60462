// The power is cut, the disk fails or is full at every single operation of a fixed scenario.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/simulation/faulty_run.hpp"

namespace zenith::simulation {
namespace {

using fault = testing::memory_file_system::fault;

const made_cluster& made() {
  static const made_cluster one;
  return one;
}

/// How many operations the scenario has, when nothing fails.
uint64_t operations() {
  static const uint64_t all = [] {
    faulty_run whole(made());
    for (size_t step = 0; step < whole.steps(); ++step) {
      const auto taken = whole.take(step);
      if (!taken) throw std::runtime_error(taken.error().message);
    }
    return whole.files().operations() - whole.first_operation();
  }();
  return all;
}

/// Goes on from a step to the end, where all has to be as if nothing had happened. WAL that was not
/// acknowledged comes again: it was appended two steps before, at most.
void go_on(faulty_run& run, size_t failed) {
  for (size_t step = failed - std::min<size_t>(failed, 2); step < run.steps(); ++step) {
    const auto taken = run.take(step);
    ASSERT_TRUE(taken) << "step " << step << ": " << taken.error().message;
  }
  ASSERT_EQ(run.difference(), "");
  const auto opened = run.reopen();
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_EQ(run.difference(), "");
  const auto swept = run.collect_garbage();
  ASSERT_TRUE(swept) << swept.error().message;
  ASSERT_EQ(run.leftovers(faulty_run::parts::all), "");
}

/// The step at which the fault shows; all of them where it does not.
size_t run_until_fault(faulty_run& run, std::string& why) {
  for (size_t step = 0; step < run.steps(); ++step)
    if (const auto taken = run.take(step); !taken) {
      why = taken.error().message;
      return step;
    }
  return run.steps();
}

class faults : public ::testing::Test {
 protected:
  template <class Act>
  void at_each_operation(const Act& act) {
    for (uint64_t n = 0; n < operations(); ++n) {
      SCOPED_TRACE(fmt::format("operation {} of {}", n, operations()));
      act(n);
      if (HasFatalFailure()) return;
    }
  }

  void cut_power_at(uint64_t n, bool keeps_some) {
    faulty_run run(made());
    run.files().fail_at(run.first_operation() + n, fault::power);
    std::string why;
    const size_t step = run_until_fault(run, why);
    ASSERT_LT(step, run.steps());
    run.close();
    if (keeps_some)
      run.files().power_cut_keeping_some(n);
    else
      run.files().power_cut();
    const auto opened = run.reopen();
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_EQ(run.difference(), "") << "after " << why;
    const auto swept = run.collect_garbage();
    ASSERT_TRUE(swept) << swept.error().message;
    ASSERT_EQ(run.leftovers(faulty_run::parts::layers_and_wal), "") << "after " << why;
    go_on(run, step);
  }

  void fail_at(uint64_t n, fault how) {
    faulty_run run(made());
    run.files().fail_at(run.first_operation() + n, how);
    std::string why;
    size_t step = run_until_fault(run, why);
    // Where it does not show, what failed was not needed (a removal that is tried again later).
    if (step < run.steps()) {
      ASSERT_NE(why.find("repository/"), std::string::npos) << "names no file: " << why;
      if (run.is_of_wal(step)) {
        const auto opened = run.reopen();
        ASSERT_TRUE(opened) << opened.error().message;
      }
      ASSERT_EQ(run.difference(), "") << "after " << why;
    }
    go_on(run, step);
  }
};

TEST_F(faults, a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged) {
  at_each_operation([&](uint64_t n) { cut_power_at(n, false); });
}

TEST_F(faults, nor_does_one_that_keeps_some_of_what_was_not_synced) {
  at_each_operation([&](uint64_t n) { cut_power_at(n, true); });
}

TEST_F(faults, an_io_error_at_any_operation_is_told_and_the_timeline_goes_on) {
  at_each_operation([&](uint64_t n) { fail_at(n, fault::io_error); });
}

TEST_F(faults, a_full_disk_at_any_operation_is_told_and_the_timeline_goes_on) {
  at_each_operation([&](uint64_t n) { fail_at(n, fault::no_space); });
}

}  // namespace
}  // namespace zenith::simulation
