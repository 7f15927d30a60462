// view: histories made by chance are the same in any layers, with the cache in any state.
#include <atomic>
#include <thread>

#include "tests/storage/layers/branching_history.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

class view_histories : public ::testing::Test {
 protected:
  struct timeline {
    std::unique_ptr<branching_history> history;
    lsn branch;
  };

  void begin(unsigned seed) {
    random_.seed(seed);
    timelines_.clear();
    timelines_.push_back({std::make_unique<branching_history>(seed, nullptr, lsn{1000}), {}});
  }
  /// A timeline goes on, has a child, begins a new layer, or writes an old one.
  void step() {
    const branching_history* parent = timelines_[random_() % timelines_.size()].history.get();
    branching_history& one = *timelines_[random_() % timelines_.size()].history;
    const unsigned what = random_() % 100;
    if (what < 2 && timelines_.size() < 8) {
      const auto& states = parent->states();
      const lsn at = states[random_() % states.size()].at;
      timelines_.push_back(
          {std::make_unique<branching_history>(static_cast<unsigned>(random_()), parent, at), at});
    } else if (what < 12) {
      one.begin_new_layer();
    } else if (what < 18) {
      one.write_one(out_);
    } else {
      one.step();
    }
  }
  void read_one(const branching_history& of, const std::shared_ptr<page_cache>& cache, lsn at) {
    const lsn until = random_() % 2 == 0 ? of.now() : at;
    const view v = of.seen(cache, until);
    of.expect_right(random_() % 8 == 0 ? v.for_scan() : v, random_() % 2,
                    static_cast<block_number>(random_() % branching_history::blocks_max), at);
  }
  lsn any_lsn(const branching_history& of) {
    const uint64_t length = of.now() - branching_history::beginning + 1;
    return branching_history::beginning + random_() % length;
  }

  std::mt19937 random_;
  zenith::testing::memory_file_system files_;
  layer_output out_{std::make_shared<layer_files>(files_, "/timelines", layer_files::limits{}),
                    {},
                    std::make_shared<std::atomic<uint64_t>>(1)};
  std::vector<timeline> timelines_;
};

unsigned seeds() { return zenith::testing::full_test_level() ? 200 : 12; }

TEST_F(view_histories, every_page_and_size_at_any_lsn_with_any_cache_while_layers_change) {
  const unsigned first = zenith::testing::test_seed();
  for (unsigned seed = first; seed != first + seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    begin(seed);
    const std::shared_ptr<page_cache> caches[] = {nullptr,
                                                  std::make_shared<page_cache>(size_t{100'000}),
                                                  std::make_shared<page_cache>(size_t{32} << 20)};
    lsn lately = lsn::max();
    for (int i = 0; i < 1500 && !HasFailure(); ++i) {
      step();
      const branching_history& of = *timelines_[random_() % timelines_.size()].history;
      const auto& cache = caches[random_() % 3];
      // At the newest LSN, at one that was read lately, at any.
      if (random_() % 3 == 0 || lately > of.now()) lately = any_lsn(of);
      read_one(of, cache, random_() % 2 == 0 ? of.now() : lately);
    }
    if (HasFailure()) return;
    EXPECT_GT(caches[2]->pages.hits(), 0u);
    EXPECT_LE(caches[1]->size_bytes(), caches[1]->limit_bytes());
  }
}

TEST_F(view_histories, every_block_at_every_lsn_forward_and_backward) {
  const unsigned seed = zenith::testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  begin(seed);
  for (int i = 0; i < 800; ++i) step();
  const auto cache = std::make_shared<page_cache>(size_t{4} << 20);
  for (int pass = 0; pass < 4 && !HasFailure(); ++pass) {
    for (const timeline& one : timelines_) {
      const branching_history& of = *one.history;
      const view v = of.seen(pass == 3 ? nullptr : cache, of.now());
      const auto& states = of.states();
      for (size_t i = 0; i < states.size() && !HasFailure(); ++i) {
        const auto& now = pass == 1 ? states[states.size() - 1 - i] : states[i];
        const lsn at = pass == 2 ? std::min(now.at + 63, of.now()) : now.at;
        for (block_number block = 0; block < branching_history::blocks_max; ++block)
          of.expect_right(v, (i + block) % 2, block, at);
      }
    }
  }
}

TEST_F(view_histories, a_page_that_is_known_asks_no_layer) {
  class counting final : public layer {
   public:
    explicit counting(std::shared_ptr<const layer> of) : of_(std::move(of)) {}
    result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override {
      ++asked;
      return of_->collect(k, after, until, history);
    }
    result<void> list(const key&, const key&, lsn,
                      const std::function<void(const key&)>&) const override {
      return {};
    }
    mutable int asked = 0;

   private:
    std::shared_ptr<const layer> of_;
  };
  begin(7);
  branching_history& history = *timelines_.front().history;
  for (int i = 0; i < 300; ++i) {
    history.step();
    if (i % 20 == 0) history.begin_new_layer();
  }
  std::vector<std::shared_ptr<counting>> counts;
  std::vector<layer_reference> layers;
  for (const layer_reference& one : history.layers(history.now())) {
    counts.push_back(std::make_shared<counting>(one.data));
    layers.push_back({counts.back(), one.until, one.after});
  }
  const auto asked = [&] {
    int all = 0;
    for (const auto& one : counts) all += one->asked;
    return all;
  };
  const auto cache = std::make_shared<page_cache>(size_t{4} << 20);
  const lsn half = history.states()[280].at;
  const history_list histories = root_histories();
  const view before(layers, branching_history::beginning, half, {cache, histories});
  const view after(layers, branching_history::beginning, history.now(), {cache, histories});
  const auto& known = history.state_at(half).forks[0];
  ASSERT_TRUE(known && known->size() > 2) << "not a history to learn from";
  const auto blocks = static_cast<block_number>(known->size());
  for (block_number block = 0; block < blocks; ++block)
    history.expect_right(before, 0, block, half);
  EXPECT_GT(asked(), 5);
  const int cold = asked();
  for (block_number block = 0; block < blocks; ++block)
    history.expect_right(before, 0, block, half);
  EXPECT_EQ(asked(), cold);
  // What came since is in the newest two layers, and in no other one is it looked for.
  const auto older = [&] { return asked() - counts[0]->asked - counts[1]->asked; };
  const int before_it = older();
  for (block_number block = 0; block < blocks; ++block)
    history.expect_right(after, 0, block, history.now());
  EXPECT_EQ(older(), before_it);
}

TEST_F(view_histories, threads_read_while_another_publishes) {
  const unsigned seed = zenith::testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const int steps = zenith::testing::full_test_level() ? 20'000 : 4000;
  branching_history model(seed, nullptr, lsn{1000});
  for (int i = 0; i < steps; ++i) model.step();
  // The same again, step by step.
  branching_history written(seed, nullptr, lsn{1000});
  const auto cache = std::make_shared<page_cache>(size_t{1} << 20);
  std::mutex mutex;
  view_ptr newest = std::make_shared<const view>(written.seen(cache, written.now()));
  std::atomic<bool> done{false};
  const auto read = [&](unsigned own_seed) {
    std::mt19937 random(own_seed);
    do {
      view_ptr v;
      {
        const std::lock_guard lock(mutex);
        v = newest;
      }
      for (int i = 0; i < 20; ++i) {
        const uint64_t back = random() % 2 == 0 ? 0 : random() % (v->until() - v->from() + 1);
        model.expect_right(*v, random() % 2,
                           static_cast<block_number>(random() % branching_history::blocks_max),
                           v->until() - back);
      }
    } while (!done && !HasFailure());
  };
  std::thread first(read, seed);
  std::thread second(read, seed + 1);
  for (int i = 0; i < steps; ++i) {
    written.step();
    if (i % 100 == 99) written.begin_new_layer();
    if (i % 250 == 249) written.write_one(out_);
    const std::lock_guard lock(mutex);
    newest = std::make_shared<const view>(written.seen(cache, written.now()));
  }
  done = true;
  first.join();
  second.join();
}

}  // namespace
}  // namespace zenith::layers
