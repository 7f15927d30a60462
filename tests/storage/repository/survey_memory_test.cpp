// survey_memory: a closed timeline is looked at again once time, names or windows may have made
// something collectable, and not before.
#include "storage/repository/survey_memory.hpp"

#include <gtest/gtest.h>

namespace zenith::repository {
namespace {

class remembered : public ::testing::Test {
 protected:
  remembered() {
    timeline_.metadata.id.value.fill(1);
    need({});
  }
  void need(const std::vector<needed_point>& points) {
    timeline_.needed = std::make_shared<const needed_states>(std::span<const timeline_metadata>{},
                                                             std::span<const needed_point>{points});
  }
  void look(std::optional<timestamp> next) {
    memory_.begin_look(timeline_);
    memory_.note(id(), next);
  }
  bool is_due(int64_t now = 100) const { return memory_.is_due(timeline_, timestamp{now}); }
  const timeline_id& id() const { return timeline_.metadata.id; }

  closed_timeline timeline_;
  survey_memory memory_;
};

TEST_F(remembered, one_that_nobody_has_looked_at_is_due) { EXPECT_TRUE(is_due()); }

TEST_F(remembered, one_that_time_changes_is_due_when_it_was_told) {
  look(timestamp{200});
  EXPECT_FALSE(is_due(199));
  EXPECT_TRUE(is_due(200));
  look(std::nullopt);
  EXPECT_FALSE(is_due(INT64_MAX));
}

TEST_F(remembered, another_window_or_another_need_makes_it_due) {
  need({{{id(), lsn{70}}, lsn{60}}});
  look(std::nullopt);
  // The same, made anew.
  need({{{id(), lsn{70}}, lsn{60}}});
  EXPECT_FALSE(is_due());
  need({});
  EXPECT_TRUE(is_due());
  look(std::nullopt);
  timeline_.window.wal_bytes = 5;
  EXPECT_TRUE(is_due());
  look(std::nullopt);
  timeline_.wal_window.time_us = 5;
  EXPECT_TRUE(is_due());
  look(std::nullopt);
  EXPECT_FALSE(is_due());
}

TEST_F(remembered, one_that_was_opened_is_due_also_where_a_look_was_under_way) {
  look(std::nullopt);
  memory_.forget(id());
  EXPECT_TRUE(is_due());
  memory_.begin_look(timeline_);
  EXPECT_TRUE(is_due());
  memory_.forget(id());
  memory_.note(id(), std::nullopt);
  EXPECT_TRUE(is_due());
  EXPECT_EQ(memory_.size(), 0u);
}

}  // namespace
}  // namespace zenith::repository
