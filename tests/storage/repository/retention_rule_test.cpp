// retention_rule: windows by time and by bytes, and the states that children, tags and servers
// need.
#include "storage/repository/retention_rule.hpp"

#include <gtest/gtest.h>

#include "storage/io/durable_file.hpp"
#include "storage/layers/memory_layer.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::repository {
namespace {

constexpr uint64_t unlimited = retention_window::unlimited;

timeline_id id_of(uint8_t number) {
  timeline_id id;
  id.value.fill(number);
  return id;
}

timeline_metadata root(uint8_t number, uint64_t start) {
  timeline_metadata made;
  made.id = id_of(number);
  made.system = system_identifier{7};
  made.start = lsn{start};
  made.start_previous_record = lsn{start - 8};
  made.pg_timelines = {{pg_timeline{1}, lsn{1}}};
  return made;
}

timeline_metadata child(uint8_t number, uint8_t parent, uint64_t at) {
  timeline_metadata made = root(number, at);
  made.ancestor = timeline_point{id_of(parent), lsn{at}};
  made.pg_timelines.push_back({pg_timeline{number}, lsn{at}});
  return made;
}

std::vector<lsn> lsns(std::initializer_list<uint64_t> all) {
  std::vector<lsn> made;
  for (const uint64_t one : all) made.push_back(lsn{one});
  return made;
}

TEST(horizon, is_the_older_of_both_windows) {
  EXPECT_EQ(horizon_of({.time_us = 1, .wal_bytes = 100}, lsn{500}, lsn{1000}), lsn{500});
  EXPECT_EQ(horizon_of({.time_us = 1, .wal_bytes = 600}, lsn{500}, lsn{1000}), lsn{400});
  EXPECT_EQ(horizon_of({.time_us = 1, .wal_bytes = 0}, lsn{500}, lsn{1000}), lsn{500});
  EXPECT_EQ(horizon_of({.time_us = 0, .wal_bytes = 0}, lsn{1000}, lsn{1000}), lsn{1000});
}

TEST(horizon, is_none_where_a_window_has_no_limit_or_is_longer_than_the_history) {
  EXPECT_EQ(horizon_of({.time_us = unlimited, .wal_bytes = 1}, lsn{500}, lsn{1000}), lsn{});
  EXPECT_EQ(horizon_of({.time_us = 1, .wal_bytes = unlimited}, lsn{500}, lsn{1000}), lsn{});
  EXPECT_EQ(horizon_of({.time_us = 1, .wal_bytes = 5000}, lsn{500}, lsn{1000}), lsn{});
}

// Transactions end at 208 (time 1000), 308 (2000) and 408 (3000); the history ends at 500.
class laid_over_a_history : public ::testing::Test {
 protected:
  laid_over_a_history() {
    layer_->put_transaction_end(1000, lsn{200}, lsn{208});
    layer_->put_transaction_end(2000, lsn{300}, lsn{308});
    layer_->put_transaction_end(3000, lsn{400}, lsn{408});
    layer_->publish(lsn{500});
  }
  lsn begin(const retention_window& window, int64_t now) const {
    return window_begin(history(), window, timestamp{now}).value();
  }
  lsn horizon(const retention_window& window, int64_t now) const {
    return horizon_in(history(), window, timestamp{now}).value();
  }
  known_history history() const { return {layers_, lsn{500}, oldest_, timestamp{100}}; }

  std::shared_ptr<layers::memory_layer> layer_ = std::make_shared<layers::memory_layer>(lsn{100});
  std::vector<layers::layer_reference> layers_{{layer_, lsn{500}}};
  lsn oldest_{100};
};

TEST_F(laid_over_a_history, a_window_by_time_moves_on_as_time_passes) {
  const retention_window window{.time_us = 500, .wal_bytes = 0};
  EXPECT_EQ(begin(window, 599), lsn{});  // longer than what is known
  EXPECT_EQ(begin(window, 600), lsn{200});
  EXPECT_EQ(begin(window, 1499), lsn{200});
  EXPECT_EQ(begin(window, 1500), lsn{300});
  EXPECT_EQ(begin(window, 3499), lsn{400});
  EXPECT_EQ(begin(window, 3500), lsn{500});
  EXPECT_EQ(begin({.time_us = 500, .wal_bytes = 350}, 3500), lsn{150});
}

TEST_F(laid_over_a_history, a_longer_window_brings_nothing_back) {
  oldest_ = lsn{300};
  EXPECT_EQ(begin({.time_us = 2600, .wal_bytes = 0}, 3500), lsn{200});
  EXPECT_EQ(horizon({.time_us = 2600, .wal_bytes = 0}, 3500), lsn{300});
  EXPECT_EQ(horizon({.time_us = 500, .wal_bytes = 0}, 3500), lsn{500});
  // Nothing more goes then; that needs no horizon.
  EXPECT_EQ(horizon({.time_us = unlimited, .wal_bytes = 0}, 3500), lsn{});
}

TEST(needed_states, a_parent_keeps_what_its_children_start_from) {
  const std::vector timelines{root(1, 100), child(2, 1, 300), child(3, 1, 200), child(4, 2, 400),
                              child(5, 1, 300)};
  const needed_states needed(timelines, {});
  EXPECT_EQ(needed.retention_of(id_of(1), lsn{1000}).points, lsns({200, 300}));
  EXPECT_EQ(needed.retention_of(id_of(2), lsn{1000}).points, lsns({400}));
  EXPECT_TRUE(needed.retention_of(id_of(3), lsn{1000}).points.empty());
  EXPECT_EQ(needed.retention_of(id_of(1), lsn{1000}).horizon, lsn{1000});
}

TEST(needed_states, points_at_the_horizon_or_later_need_no_mention) {
  const std::vector timelines{root(1, 100), child(2, 1, 300)};
  const needed_states needed(timelines, std::vector<needed_point>{{{id_of(1), lsn{299}}}});
  EXPECT_EQ(needed.retention_of(id_of(1), lsn{300}).points, lsns({299}));
  EXPECT_EQ(needed.retention_of(id_of(1), lsn{301}).points, lsns({299, 300}));
}

TEST(needed_states, a_point_before_a_timelines_start_is_kept_by_all_through_which_it_is_seen) {
  const std::vector timelines{root(1, 100), child(2, 1, 300), child(3, 2, 400), child(4, 3, 500)};
  const std::vector<needed_point> points{{{id_of(4), lsn{350}}}, {{id_of(4), lsn{150}}}};
  const needed_states needed(timelines, points);
  EXPECT_EQ(needed.retention_of(id_of(4), lsn{1000}).points, lsns({150, 350}));
  EXPECT_EQ(needed.retention_of(id_of(3), lsn{1000}).points, lsns({150, 350, 500}));
  EXPECT_EQ(needed.retention_of(id_of(2), lsn{1000}).points, lsns({150, 350, 400}));
  EXPECT_EQ(needed.retention_of(id_of(1), lsn{1000}).points, lsns({150, 300}));
}

TEST(needed_states, a_point_on_a_timeline_that_is_not_known_does_no_harm) {
  const needed_states needed({}, std::vector<needed_point>{{{id_of(9), lsn{10}}}});
  EXPECT_EQ(needed.retention_of(id_of(9), lsn{1000}).points, lsns({10}));
}

TEST(needed_states, without_a_horizon_everything_is_kept) {
  const std::vector timelines{root(1, 100), child(2, 1, 300)};
  const auto kept = needed_states(timelines, {}).retention_of(id_of(1), lsn{});
  EXPECT_EQ(kept.horizon, lsn{});
}

// While a point is being looked for no horizon rises; what lies below the old one is still there.
TEST(needed_states, without_a_horizon_what_names_need_can_still_be_asked_for) {
  const std::vector timelines{root(1, 100), child(2, 1, 300)};
  const auto kept = needed_states(timelines, {}).retention_of(id_of(1), lsn{});
  EXPECT_EQ(kept.points, lsns({300}));
  EXPECT_TRUE(kept.keeps(lsn{1}));
  EXPECT_TRUE(kept.kept_states().empty());
}

TEST(needed_states, remember_the_record_before_each_place_that_says_it) {
  std::vector timelines{root(1, 100), child(2, 1, 300)};
  const std::vector<needed_point> points{
      {{id_of(1), lsn{200}}}, {{id_of(1), lsn{200}}, lsn{160}}, {{id_of(2), lsn{250}}, lsn{240}}};
  const needed_states needed(timelines, points);
  const auto places = needed.places_of(id_of(1));
  ASSERT_EQ(places.size(), 3u);
  EXPECT_EQ(places[0].previous, lsn{160});
  EXPECT_EQ(places[1].previous, lsn{240});
  EXPECT_EQ(places[2].previous, lsn{292});
  EXPECT_TRUE(needed.places_of(id_of(7)).empty());
}

class needed_by_a_repository : public ::testing::Test {
 protected:
  template <class T>
  static T must(result<T> done) {
    if (!done) throw std::runtime_error(done.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*done);
  }
  testing::memory_file_system files_;
  const path directory_ = "repository";
};

TEST_F(needed_by_a_repository, are_tags_and_where_computes_start) {
  auto names = must(repository::create(files_, directory_, "{}"));
  must(names.create_branch("main", root(1, 100)));
  must(names.create_branch("child", child(2, 1, 300)));
  must(names.create_tag("tag", {{id_of(1), lsn{150}}, timestamp{}}));
  compute_metadata compute;
  compute.name = "server";
  compute.branch = "main";
  compute.timeline = id_of(1);
  compute.at = lsn{170};
  compute.port = 5555;
  must(names.write_compute(compute));
  const std::vector<needed_point> more{{{id_of(1), lsn{160}}}};
  const auto kept = needed_states::of(names, more).retention_of(id_of(1), lsn{1000});
  EXPECT_EQ(kept.points, lsns({150, 160, 170, 300}));
}

TEST_F(needed_by_a_repository, are_everything_while_a_file_is_damaged) {
  {
    auto names = must(repository::create(files_, directory_, "{}"));
    must(names.create_branch("main", root(1, 100)));
    must(names.create_tag("tag", {{id_of(1), lsn{150}}, timestamp{}}));
  }
  must(write_file_durably(files_, directory_ / "refs" / "tags" / "tag", as_bytes("damaged")));
  const auto names = must(repository::open(files_, directory_));
  const auto needed = needed_states::of(names, {});
  EXPECT_EQ(needed.retention_of(id_of(1), lsn{1000}).horizon, lsn{});
  EXPECT_FALSE(needed.knows_all());
}

}  // namespace
}  // namespace zenith::repository
