// key_retention: every kept state of a key stays what it was, whatever else goes.
#include "storage/layers/key_retention.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

/// A key's history, newest first, and what is kept of it.
struct history {
  std::vector<version_summary> versions;
  std::vector<lsn> kept_states;
  std::vector<lsn> cuts;                     // ascending; each hides what is at or before it
  std::vector<std::pair<lsn, lsn>> missing;  // from .. to: the fork does not exist

  visible_versions seen_at(lsn state) const {
    for (const auto& [from, to] : missing)
      if (state >= from && state < to) return {false, {}};
    visible_versions seen;
    for (const lsn cut : cuts)
      if (cut <= state) seen.hidden_until = cut;
    return seen;
  }
  key_rules rules(unsigned records_max) const {
    key_rules rules{.kept_states = kept_states, .records_max = records_max};
    rules.seen_at = [this](lsn state) { return seen_at(state); };
    return rules;
  }
  lsn horizon() const { return kept_states.empty() ? lsn{} : kept_states.back(); }

  /// Which versions make the state: from the newest one down to one that is whole. A page stands
  /// for all that made it.
  std::vector<lsn> made_of(lsn state, const std::vector<version_verdict>& verdicts) const {
    const visible_versions seen = seen_at(state);
    std::vector<lsn> parts;
    for (size_t i = 0; i < versions.size(); ++i) {
      const version_summary& v = versions[i];
      if (v.at > state || !seen.shows(v.at) || verdicts[i] == version_verdict::goes) continue;
      if (verdicts[i] == version_verdict::becomes_page) {
        const auto rest = made_of(v.at, all_stay());
        parts.insert(parts.end(), rest.begin(), rest.end());
        return parts;
      }
      parts.push_back(v.at);
      if (v.is_whole()) return parts;
    }
    return parts;
  }
  std::vector<version_verdict> all_stay() const {
    return std::vector(versions.size(), version_verdict::stays);
  }
};

history random_history(std::mt19937& random) {
  const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
  history h;
  const unsigned count = random() % 60;
  const unsigned whole = random() % 40;
  const bool pages_fail = chance(20);
  for (unsigned i = count; i > 0; --i) {
    version_summary v{.at = lsn{i * 10}, .size_bytes = static_cast<uint32_t>(random() % 300)};
    v.kind = chance(whole) ? static_cast<version_kind>(1 + random() % 4) : version_kind::changes;
    v.can_be_page = !v.is_whole() && !(pages_fail && chance(30));
    if (v.kind == version_kind::value) v.size_bytes = 8192;
    h.versions.push_back(v);
  }
  if (chance(90)) {
    for (unsigned i = random() % 6; i > 0; --i) h.kept_states.push_back(lsn{random() % 620 + 1});
    h.kept_states.push_back(lsn{random() % 620 + 1});
    std::ranges::sort(h.kept_states);
    const auto [first, last] = std::ranges::unique(h.kept_states);
    h.kept_states.erase(first, last);
  }
  if (chance(30))
    for (unsigned i = random() % 3; i > 0; --i) h.cuts.push_back(lsn{random() % 60 * 10 + 5});
  if (chance(20)) {
    const lsn from{random() % 60 * 10 + 5};
    const lsn to = from + random() % 30 * 10;
    h.missing.emplace_back(from, to);
    h.cuts.push_back(to);  // what is made again shows nothing old
  }
  std::ranges::sort(h.cuts);
  return h;
}

/// choose(), in parts of so many versions.
std::vector<version_verdict> choose_in_parts(const history& h, const key_rules& rules, size_t size,
                                             key_part last) {
  key_progress progress;
  std::vector<version_verdict> all;
  std::vector<version_verdict> verdicts;
  const std::span versions{h.versions};
  for (size_t at = 0; at < versions.size(); at += size) {
    const auto part = versions.subspan(at, std::min(size, versions.size() - at));
    choose(part, rules, at + size < versions.size() ? key_part::older_follow : last, progress,
           verdicts);
    all.insert(all.end(), verdicts.begin(), verdicts.end());
  }
  return all;
}

std::string text_of(const history& h, const std::vector<version_verdict>& verdicts) {
  std::string text = "kept";
  for (const lsn one : h.kept_states) text += " " + std::to_string(one.value());
  text += "; cuts";
  for (const lsn one : h.cuts) text += " " + std::to_string(one.value());
  for (size_t i = 0; i < h.versions.size(); ++i)
    text += fmt::format("\n{} kind {} verdict {}", h.versions[i].at.value(),
                        static_cast<int>(h.versions[i].kind), static_cast<int>(verdicts[i]));
  return text;
}

bool exists(const history& h, lsn state, const std::vector<version_verdict>& verdicts) {
  const auto parts = h.made_of(state, verdicts);
  if (parts.empty()) return false;
  const auto oldest = std::ranges::find(h.versions, parts.back(), &version_summary::at);
  return parts.size() > 1 || oldest->kind != version_kind::absent;
}

TEST(key_retention, leaves_every_kept_state_of_random_histories_what_it_was) {
  const uint32_t seed = zenith::testing::test_seed();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  size_t gone = 0;
  size_t pages = 0;
  for (int round = 0; round < (zenith::testing::full_test_level() ? 300'000 : 5'000); ++round) {
    const history h = random_history(random);
    const unsigned records_max = 1 + random() % 12;
    const auto last = random() % 2 == 0 ? key_part::last_of_all : key_part::last;
    key_rules rules = h.rules(records_max);
    rules.page_worth_bytes = random() % 3 * 500;
    const auto verdicts = choose_in_parts(h, rules, 1 + random() % 80, last);
    ASSERT_EQ(verdicts.size(), h.versions.size());

    std::vector<lsn> states = h.kept_states;
    for (uint64_t at = h.horizon().value(); at < 620; ++at) states.push_back(lsn{at});
    for (const lsn state : states) {
      if (!h.seen_at(state).exists) continue;
      const auto before = h.made_of(state, h.all_stay());
      const auto after = h.made_of(state, verdicts);
      if (before != after)
        ASSERT_TRUE(last == key_part::last_of_all && !exists(h, state, h.all_stay()) &&
                    after.empty())
            << "round " << round << " state " << state.value() << "\n"
            << text_of(h, verdicts);
    }
    unsigned in_a_row = 0;
    bool can_all = true;
    for (size_t i = h.versions.size(); i > 0; --i) {
      const auto verdict = verdicts[i - 1];
      const version_summary& v = h.versions[i - 1];
      if (verdict == version_verdict::goes) ++gone;
      if (verdict == version_verdict::becomes_page) ++pages;
      if (v.at > h.horizon()) ASSERT_NE(verdict, version_verdict::goes) << round;
      if (verdict == version_verdict::becomes_page) ASSERT_TRUE(v.can_be_page) << round;
      if (verdict == version_verdict::goes) continue;
      can_all = can_all && (v.is_whole() || v.can_be_page);
      in_a_row = v.is_whole() || verdict == version_verdict::becomes_page ? 0 : in_a_row + 1;
      if (can_all) ASSERT_LE(in_a_row, records_max) << round;
    }
  }
  EXPECT_GT(gone, 1000u);
  EXPECT_GT(pages, 1000u);
}

std::string verdicts_of(const history& h, unsigned records_max, key_part part,
                        uint32_t page_worth_bytes = 0) {
  key_rules rules = h.rules(records_max);
  rules.page_worth_bytes = page_worth_bytes;
  key_progress progress;
  std::vector<version_verdict> verdicts;
  choose(h.versions, rules, part, progress, verdicts);
  std::string text;
  for (const version_verdict one : verdicts) text += "-sP"[static_cast<int>(one)];
  return text;
}

/// Newest first, at 10 n, 10 (n - 1), ...: r a record, i one that initialises, v a value, a an
/// absence, c a copy, x a record of which no page can be made.
history history_of(std::string_view kinds, std::vector<lsn> kept_states) {
  history h{.kept_states = std::move(kept_states)};
  uint64_t at = kinds.size() * 10;
  for (const char one : kinds) {
    version_summary v{.at = lsn{at}, .size_bytes = 100, .can_be_page = one == 'r'};
    v.kind = one == 'i'   ? version_kind::initialises
             : one == 'v' ? version_kind::value
             : one == 'a' ? version_kind::absent
             : one == 'c' ? version_kind::copy
                          : version_kind::changes;
    h.versions.push_back(v);
    at -= 10;
  }
  return h;
}

TEST(key_retention, without_kept_states_keeps_all) {
  EXPECT_EQ(verdicts_of(history_of("rrvavcri", {}), 9, key_part::last_of_all), "ssssssss");
}

TEST(key_retention, keeps_the_newest_version_for_each_kept_state_and_no_other) {
  EXPECT_EQ(verdicts_of(history_of("vvvvvv", {lsn{25}, lsn{45}}), 9, key_part::last), "sss-s-");
  EXPECT_EQ(verdicts_of(history_of("vvvvvv", {lsn{60}}), 9, key_part::last), "s-----");
  EXPECT_EQ(verdicts_of(history_of("vvvvvv", {lsn{9}, lsn{70}}), 9, key_part::last), "s-----");
}

TEST(key_retention, a_page_takes_the_place_of_a_record_where_that_lets_others_go) {
  EXPECT_EQ(verdicts_of(history_of("rrrrri", {lsn{45}}), 9, key_part::last), "ssP---");
  EXPECT_EQ(verdicts_of(history_of("rr", {lsn{15}}), 9, key_part::last), "ss");
  EXPECT_EQ(verdicts_of(history_of("rrrrri", {lsn{45}}), 9, key_part::last, 400), "ssP---");
  EXPECT_EQ(verdicts_of(history_of("rrrrri", {lsn{45}}), 9, key_part::last, 401), "ssssss");
  // What an older state needs anyway is not gained.
  EXPECT_EQ(verdicts_of(history_of("rrrrri", {lsn{35}, lsn{45}}), 9, key_part::last, 300),
            "sssP--");
}

TEST(key_retention, where_no_page_can_be_made_all_that_it_needs_stays) {
  EXPECT_EQ(verdicts_of(history_of("rrxrriv", {lsn{55}}), 9, key_part::last), "ssssss-");
  EXPECT_EQ(verdicts_of(history_of("xxxxx", {}), 2, key_part::last), "sssss");
}

TEST(key_retention, long_rows_of_records_get_pages) {
  EXPECT_EQ(verdicts_of(history_of("rrrrrrrrrr", {}), 4, key_part::last), "ssPsssPsss");
  EXPECT_EQ(verdicts_of(history_of("rrrrrrrri", {}), 4, key_part::last), "sPsssPsss");
  EXPECT_EQ(verdicts_of(history_of("rrrrrrvrr", {}), 4, key_part::last), "ssPssssss");
  EXPECT_EQ(verdicts_of(history_of("rrr", {}), 1, key_part::last), "PPP");
  EXPECT_EQ(verdicts_of(history_of("rrr", {}), 4, key_part::older_follow), "ssP");
}

TEST(key_retention, what_no_kept_state_shows_goes) {
  history cut = history_of("rrrrrr", {lsn{35}, lsn{55}});
  cut.cuts = {lsn{45}};
  EXPECT_EQ(verdicts_of(cut, 9, key_part::last), "ss-P--");
  cut.cuts = {lsn{35}};
  EXPECT_EQ(verdicts_of(cut, 9, key_part::last), "sP----");
  history gone = history_of("rrrrrr", {lsn{55}});
  gone.missing = {{lsn{50}, lsn{100}}};
  EXPECT_EQ(verdicts_of(gone, 9, key_part::last), "s-----");
}

TEST(key_retention, an_absence_goes_once_nothing_stays_behind_it) {
  EXPECT_EQ(verdicts_of(history_of("vavv", {lsn{35}}), 9, key_part::last), "ss--");
  EXPECT_EQ(verdicts_of(history_of("vavv", {lsn{35}}), 9, key_part::last_of_all), "s---");
  EXPECT_EQ(verdicts_of(history_of("vavv", {lsn{25}}), 9, key_part::last_of_all), "sss-");
  EXPECT_EQ(verdicts_of(history_of("va", {lsn{5}}), 9, key_part::last_of_all), "ss");
}

TEST(key_retention, protected_versions_stay_with_what_they_need) {
  history h = history_of("rrrrrri", {lsn{70}});
  for (size_t i = 0; i < 3; ++i) h.versions[i].is_protected = true;
  EXPECT_EQ(verdicts_of(h, 2, key_part::last).substr(0, 3), "sss");
}

}  // namespace
}  // namespace zenith::layers
