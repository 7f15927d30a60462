// Every version of everything in the golden corpus, read in several ways that must agree.
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "storage/layers/page_cache.hpp"
#include "tests/support/golden_replay.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::testing {
namespace {

class golden_history : public ::testing::TestWithParam<std::string> {
 protected:
  /// A block, or another value, as a server that replays all WAL in order had it right after a
  /// record.
  struct version {
    key what;
    lsn at;
    std::optional<uint32_t> crc;  // of all its bytes; none: it did not exist
  };

  static version newest_version(const memory_sink& sink, const key& k, lsn at) {
    if (k.kind == key_kind::relation_block) {
      const auto read = sink.read_block(k.relation(), k.relation_fork(), k.d);
      if (!read) EXPECT_EQ(read.error().code, errc::not_found) << read.error().message;
      return {k, at, read ? std::optional(crc32c(read->view())) : std::nullopt};
    }
    if (k.kind == key_kind::relation_size) {
      const auto state = sink.relations().find(k);
      if (state == sink.relations().end()) return {k, at, std::nullopt};
      return {k, at, crc32c(state->second.encode())};
    }
    const auto value = sink.value(k);
    return {k, at, value ? std::optional(crc32c(*value)) : std::nullopt};
  }

  /// Every version of everything.
  std::vector<version> versions_in_order() const {
    std::vector<version> versions;
    auto sink = golden_sink();
    for_each_golden_record(scenario_, [&](const wal::raw_record&, const pg::record& record) {
      const auto done = sink.replay(record);
      ASSERT_TRUE(done) << done.error().message;
      const std::set<key> changed(sink.changed().begin(), sink.changed().end());
      for (const key& k : changed) versions.push_back(newest_version(sink, k, record.end));
    });
    EXPECT_TRUE(sink.page_errors().empty());
    return versions;
  }

  static void expect_version(const layers::view& view, const version& v) {
    std::optional<uint32_t> crc;
    if (v.what.kind == key_kind::relation_block) {
      page found;
      const auto read =
          view.read_page(v.what.relation(), v.what.relation_fork(), v.what.d, v.at, found);
      if (read) crc = crc32c(found.view());
      // Past the end of a fork that a record both wrote to and cut, or that is gone.
      if (!read)
        ASSERT_TRUE(read.error().code == errc::not_found || read.error().code == errc::out_of_range)
            << read.error().message;
    } else {
      const auto value = view.value(v.what, v.at);
      ASSERT_TRUE(value) << value.error().message;
      if (*value) crc = crc32c(**value);
    }
    ASSERT_EQ(crc, v.crc) << to_string(v.what) << " at " << to_string(v.at);
  }

  golden_scenario scenario_ = load_golden(GetParam());
  golden_replay replay_{scenario_};
};

INSTANTIATE_TEST_SUITE_P(scenarios, golden_history, ::testing::ValuesIn(golden_names()),
                         [](const auto& which) { return which.param; });

TEST_P(golden_history, every_page_and_value_at_every_lsn_is_what_replay_in_order_had_there) {
  const auto versions = versions_in_order();
  ASSERT_GT(versions.size(), 1000u);
  const auto cached = replay_.view(std::make_shared<layers::page_cache>(size_t{64} << 20));
  for (const version& v : versions) ASSERT_NO_FATAL_FAILURE(expect_version(cached, v));
}

TEST_P(golden_history, what_is_read_in_any_order_does_not_depend_on_what_a_cache_holds) {
  auto versions = versions_in_order();
  const auto seed = test_seed();
  SCOPED_TRACE(seed);
  std::ranges::shuffle(versions, std::mt19937(seed));
  if (!full_test_level()) versions.resize(std::min<size_t>(versions.size(), 8000));
  // Too small for all, so that pages are evicted and made again.
  const auto cached = replay_.view(std::make_shared<layers::page_cache>(size_t{1} << 20));
  for (const version& v : versions) ASSERT_NO_FATAL_FAILURE(expect_version(cached, v));
  if (!full_test_level()) versions.resize(std::min<size_t>(versions.size(), 4000));
  const auto uncached = replay_.view();
  for (const version& v : versions) ASSERT_NO_FATAL_FAILURE(expect_version(uncached, v));
}

}  // namespace
}  // namespace zenith::testing
