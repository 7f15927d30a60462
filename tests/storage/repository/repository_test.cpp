// The repository: names and timelines, what they exclude, and what a power cut leaves of them.
#include "storage/repository/repository.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "storage/io/durable_file.hpp"
#include "storage/repository/names.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::repository {
namespace {

using zenith::testing::memory_file_system;

timeline_id id_of(uint8_t number) {
  timeline_id id;
  id.value[15] = number;
  return id;
}

timeline_metadata root_timeline(uint8_t number = 1) {
  timeline_metadata m;
  m.id = id_of(number);
  m.system = system_identifier{7};
  m.start = lsn{0x1000100};
  m.start_previous_record = lsn{0x1000080};
  m.pg_timelines = {{pg_timeline{1}, lsn{0x1000028}}};
  return m;
}

timeline_metadata child_of(const timeline_metadata& parent, uint8_t number, lsn at) {
  timeline_metadata m = parent;
  m.id = id_of(number);
  m.ancestor = {parent.id, at};
  m.start = at;
  m.start_previous_record = at - 0x40;
  m.pg_timelines.push_back(
      {static_cast<pg_timeline>(static_cast<uint32_t>(parent.current_pg_timeline()) + 1), at});
  return m;
}

tag_metadata tag_at(uint8_t number, lsn at) { return {{id_of(number), at}, timestamp{}}; }

compute_metadata compute_on(const std::string& name, uint8_t number) {
  compute_metadata m;
  m.name = name;
  m.timeline = id_of(number);
  m.at = lsn{0x1000100};
  return m;
}

class repository_fixture : public ::testing::Test {
 protected:
  repository_fixture() {
    auto made = repository::create(files, "repo", "{}");
    if (made) repo.emplace(std::move(*made));
  }
  void reopen() {
    auto opened = repository::open(files, "repo");
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    repo.emplace(std::move(*opened));
  }
  std::vector<std::string> branch_names() const {
    std::vector<std::string> names;
    for (const auto& entry : repo->branches()) names.push_back(entry.first);
    return names;
  }
  void damage(const path& name) {
    auto opened = files.open(name, open_mode::write);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    ASSERT_TRUE((*opened)->write(3, as_bytes("\x7f")).has_value());
  }

  memory_file_system files;
  std::optional<repository> repo;
};

template <class T>
errc code_of(const result<T>& failed) {
  return failed ? errc{} : failed.error().code;
}

TEST_F(repository_fixture, is_found_again_with_all_it_holds) {
  ASSERT_TRUE(repo.has_value());
  const timeline_metadata root = root_timeline();
  const timeline_metadata child = child_of(root, 2, lsn{0x2000100});
  ASSERT_TRUE(repo->create_branch("main", root).has_value());
  ASSERT_TRUE(repo->create_branch("feature/x", child).has_value());
  ASSERT_TRUE(repo->create_tag("v1", tag_at(1, lsn{0x1800000})).has_value());
  ASSERT_TRUE(repo->write_compute(compute_on("c", 2)).has_value());
  ASSERT_TRUE(repo->write_settings("{\"user\": \"x\"}").has_value());
  files.power_cut();
  reopen();
  EXPECT_EQ(branch_names(), (std::vector<std::string>{"feature/x", "main"}));
  EXPECT_EQ(*repo->timeline(id_of(2)), child);
  EXPECT_EQ(repo->tags().front().second, tag_at(1, lsn{0x1800000}));
  EXPECT_EQ(repo->computes().front(), compute_on("c", 2));
  EXPECT_NE(repo->settings_json().find("user"), std::string::npos);
  EXPECT_EQ(repo->branch_of(id_of(2)), "feature/x");
  EXPECT_EQ(repo->children_of(id_of(1)), std::vector{id_of(2)});
  EXPECT_TRUE(repo->damaged().empty());
  EXPECT_TRUE(repo->garbage_timelines().empty());
}

TEST_F(repository_fixture, is_made_once) {
  EXPECT_EQ(code_of(repository::create(files, "repo", "{}")), errc::already_exists);
  EXPECT_EQ(code_of(repository::open(files, "elsewhere")), errc::not_found);
}

TEST_F(repository_fixture, branches_and_tags_share_names_and_exclude_their_folders) {
  ASSERT_TRUE(repo->create_branch("main", root_timeline()).has_value());
  ASSERT_TRUE(repo->create_tag("release/1", tag_at(1, lsn{0x1000100})).has_value());
  for (const char* name : {"main", "main/x", "release", "release/1", "release/1/x"}) {
    EXPECT_EQ(code_of(repo->create_branch(name, root_timeline(9))), errc::already_exists) << name;
    EXPECT_EQ(code_of(repo->create_tag(name, tag_at(1, lsn{1}))), errc::already_exists) << name;
    EXPECT_EQ(code_of(repo->rename_branch("main", name)), errc::already_exists) << name;
  }
  EXPECT_EQ(code_of(repo->create_branch("0/1", root_timeline(9))), errc::invalid_argument);
  EXPECT_EQ(code_of(repo->timeline(id_of(9))), errc::not_found);
  EXPECT_TRUE(repo->create_branch("release/2", root_timeline(9)).has_value());
}

TEST_F(repository_fixture, a_folder_that_names_have_left_makes_way_for_a_name) {
  ASSERT_TRUE(repo->create_branch("x/y/z", root_timeline()).has_value());
  ASSERT_TRUE(repo->rename_branch("x/y/z", "main").has_value());
  ASSERT_TRUE(repo->rename_branch("main", "x/y").has_value());
  ASSERT_TRUE(repo->rename_branch("x/y", "z").has_value());
  ASSERT_TRUE(repo->create_branch("x", root_timeline(2)).has_value());
  files.power_cut();
  reopen();
  EXPECT_EQ(branch_names(), (std::vector<std::string>{"x", "z"}));
}

TEST_F(repository_fixture, names_resolve_to_timelines) {
  ASSERT_TRUE(repo->create_branch("main", root_timeline()).has_value());
  ASSERT_TRUE(repo->create_tag("v1", tag_at(1, lsn{0x1800000})).has_value());
  EXPECT_EQ(repo->resolve("main")->timeline, id_of(1));
  EXPECT_FALSE(repo->resolve("main")->at.has_value());
  EXPECT_EQ(repo->resolve("v1")->at, lsn{0x1800000});
  EXPECT_EQ(repo->resolve("v1")->branch, "main");
  EXPECT_EQ(repo->resolve(to_string(id_of(1)))->branch, "main");
  EXPECT_EQ(code_of(repo->resolve(to_string(id_of(2)))), errc::not_found);
  EXPECT_EQ(code_of(repo->resolve("mian")), errc::not_found);
}

TEST_F(repository_fixture, an_lsn_belongs_to_the_nearest_timeline_that_holds_it) {
  const timeline_metadata root = root_timeline();
  const timeline_metadata child = child_of(root, 2, lsn{0x2000100});
  ASSERT_TRUE(repo->create_branch("main", root).has_value());
  ASSERT_TRUE(repo->create_branch("a", child).has_value());
  ASSERT_TRUE(repo->create_branch("b", child_of(child, 3, lsn{0x3000100})).has_value());
  EXPECT_EQ(*repo->owner_of(id_of(3), lsn{0x4000000}), id_of(3));
  EXPECT_EQ(*repo->owner_of(id_of(3), lsn{0x3000100}), id_of(3));
  EXPECT_EQ(*repo->owner_of(id_of(3), lsn{0x30000FF}), id_of(2));
  EXPECT_EQ(*repo->owner_of(id_of(3), lsn{0x1000100}), id_of(1));
  EXPECT_EQ(code_of(repo->owner_of(id_of(3), lsn{0x10000FF})), errc::out_of_range);
}

TEST_F(repository_fixture, a_branch_with_children_is_not_deleted) {
  const timeline_metadata root = root_timeline();
  ASSERT_TRUE(repo->create_branch("main", root).has_value());
  ASSERT_TRUE(repo->create_branch("child", child_of(root, 2, lsn{0x2000100})).has_value());
  const auto refused = repo->delete_branch("main");
  EXPECT_EQ(code_of(refused), errc::conflict);
  EXPECT_NE(refused.error().message.find("'child'"), std::string::npos);
  EXPECT_EQ(code_of(repo->check_branch_may_go("main")), errc::conflict);
  EXPECT_TRUE(repo->check_branch_may_go("child"));
  EXPECT_EQ(code_of(repo->check_branch_may_go("grandchild")), errc::not_found);
  ASSERT_TRUE(repo->delete_branch("child").has_value());
  EXPECT_EQ(repo->garbage_timelines(), std::vector{id_of(2)});
  ASSERT_TRUE(repo->delete_branch("main").has_value());
  EXPECT_EQ(repo->garbage_timelines(), (std::vector{id_of(2), id_of(1)}));
  EXPECT_EQ(code_of(repo->remove_timeline(id_of(1))), errc::conflict);
  ASSERT_TRUE(repo->remove_timeline(id_of(2)).has_value());
  ASSERT_TRUE(repo->remove_timeline(id_of(1)).has_value());
  files.power_cut();
  reopen();
  EXPECT_TRUE(repo->timelines().empty());
  EXPECT_TRUE(repo->garbage_timelines().empty());
  EXPECT_EQ(code_of(repo->delete_branch("main")), errc::not_found);
}

TEST_F(repository_fixture, tags_and_computes_keep_a_timeline_whose_branch_is_gone) {
  ASSERT_TRUE(repo->create_branch("a", root_timeline(1)).has_value());
  ASSERT_TRUE(repo->create_branch("b", root_timeline(2)).has_value());
  ASSERT_TRUE(repo->create_tag("t", tag_at(1, lsn{0x1000100})).has_value());
  ASSERT_TRUE(repo->write_compute(compute_on("c", 2)).has_value());
  ASSERT_TRUE(repo->delete_branch("a").has_value());
  ASSERT_TRUE(repo->delete_branch("b").has_value());
  EXPECT_TRUE(repo->garbage_timelines().empty());
  EXPECT_EQ(code_of(repo->remove_timeline(id_of(1))), errc::conflict);
  EXPECT_EQ(repo->resolve("t")->branch, "");
  ASSERT_TRUE(repo->delete_tag("t").has_value());
  ASSERT_TRUE(repo->remove_compute("c").has_value());
  EXPECT_EQ(repo->garbage_timelines(), (std::vector{id_of(2), id_of(1)}));
}

TEST_F(repository_fixture, a_branch_of_an_unknown_timeline_is_refused) {
  EXPECT_EQ(code_of(repo->create_branch("x", child_of(root_timeline(), 2, lsn{0x2000100}))),
            errc::not_found);
  EXPECT_EQ(code_of(repo->create_tag("x", tag_at(1, lsn{1}))), errc::not_found);
  EXPECT_TRUE(branch_names().empty());
}

TEST_F(repository_fixture, a_damaged_file_fails_alone_and_is_named) {
  const timeline_metadata root = root_timeline();
  ASSERT_TRUE(repo->create_branch("main", root).has_value());
  ASSERT_TRUE(repo->create_branch("child", child_of(root, 2, lsn{0x2000100})).has_value());
  ASSERT_TRUE(repo->create_branch("other", root_timeline(3)).has_value());
  ASSERT_TRUE(repo->create_tag("t", tag_at(3, lsn{0x1000100})).has_value());
  damage(repo->timeline_directory(id_of(1)) / "timeline.json");
  damage("repo/refs/tags/t");
  reopen();
  EXPECT_EQ(code_of(repo->timeline(id_of(1))), errc::corrupt);
  EXPECT_NE(repo->timeline(id_of(2)).error().message.find(to_string(id_of(1))), std::string::npos);
  EXPECT_TRUE(repo->timeline(id_of(3)).has_value());
  EXPECT_EQ(code_of(repo->tag("t")), errc::corrupt);
  EXPECT_NE(repo->resolve("t").error().message.find("repo/refs/tags/t"), std::string::npos);
  EXPECT_EQ(repo->damaged().size(), 3u);
  EXPECT_EQ(code_of(repo->check_new_name("t/x")), errc::already_exists);
  ASSERT_TRUE(repo->delete_branch("other").has_value());
  EXPECT_TRUE(repo->garbage_timelines().empty());
  damage("repo/config.json");
  const auto refused = repository::open(files, "repo");
  EXPECT_EQ(code_of(refused), errc::corrupt);
  EXPECT_NE(refused.error().message.find("config.json"), std::string::npos);
}

TEST_F(repository_fixture, a_timeline_that_descends_from_nothing_or_itself_is_refused) {
  const timeline_metadata root = root_timeline();
  const timeline_metadata child = child_of(root, 2, lsn{0x2000100});
  ASSERT_TRUE(repo->create_branch("main", root).has_value());
  ASSERT_TRUE(repo->create_branch("child", child).has_value());
  const path file = repo->timeline_directory(id_of(1)) / "timeline.json";
  ASSERT_TRUE(
      write_metadata_file(files, file, encode(child_of(child, 1, lsn{0x2000200}))).has_value());
  reopen();
  EXPECT_EQ(code_of(repo->timeline(id_of(1))), errc::corrupt);
  EXPECT_EQ(code_of(repo->timeline(id_of(2))), errc::corrupt);
  ASSERT_TRUE(write_metadata_file(files, file, encode(root_timeline(9))).has_value());
  reopen();
  EXPECT_EQ(code_of(repo->timeline(id_of(2))), errc::corrupt);
  ASSERT_TRUE(files.remove(file).has_value());
  reopen();
  EXPECT_EQ(code_of(repo->timeline(id_of(1))), errc::not_found);
  EXPECT_EQ(code_of(repo->timeline(id_of(2))), errc::corrupt);
}

TEST_F(repository_fixture, a_long_chain_has_small_files_and_its_whole_history) {
  auto timeline = root_timeline();
  ASSERT_TRUE(repo->create_branch("b0", timeline));
  constexpr uint8_t depth = 200;
  for (uint8_t i = 2; i < depth; ++i) {
    // Each leaves where its parent began or later.
    timeline = child_of(timeline, i, timeline.start + (i % 3) * 0x1000);
    ASSERT_TRUE(repo->create_branch("b" + std::to_string(i), timeline));
  }
  reopen();
  const auto found = repo->timeline(timeline.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, timeline);
  EXPECT_EQ(found->pg_timelines.size(), size_t{depth - 1});
  const auto file = read_file(files, repo->timeline_directory(timeline.id) / "timeline.json");
  ASSERT_TRUE(file);
  EXPECT_LT(file->size(), 1024u);
}

TEST_F(repository_fixture, a_child_that_leaves_where_its_parents_pg_timeline_begins_has_both) {
  auto root = root_timeline();
  root.pg_timelines = {{pg_timeline{1}, root.start}};
  ASSERT_TRUE(repo->create_branch("main", root));
  const auto child = child_of(root, 2, root.start);
  ASSERT_TRUE(repo->create_branch("child", child));
  reopen();
  EXPECT_EQ(repo->timeline(child.id), child);
  EXPECT_EQ(repo->timelines().back().pg_timelines.size(), 1u);
}

TEST_F(repository_fixture, wal_before_a_timeline_is_one_small_part_for_each_ancestor) {
  const auto root = root_timeline();
  ASSERT_TRUE(repo->create_branch("main", root));
  const auto child = child_of(root, 2, root.start + 0x1000);
  ASSERT_TRUE(repo->create_branch("child", child));
  const auto grandchild = child_of(child, 3, child.start + 0x1000);
  ASSERT_TRUE(repo->create_branch("grandchild", grandchild));
  EXPECT_EQ(repo->wal_before(root.id).value(), nullptr);
  const auto before = repo->wal_before(grandchild.id).value();
  EXPECT_EQ(before->end(), grandchild.start);
  EXPECT_EQ(before->begin(), root.start_previous_record);
  // What is held is shared.
  EXPECT_EQ(repo->wal_before(grandchild.id).value(), before);
  EXPECT_EQ(repo->wal_before(child.id).value().use_count(), 2);
}

TEST_F(repository_fixture, a_timeline_inherits_from_the_nearest_that_has_written) {
  const auto root = root_timeline();
  ASSERT_TRUE(repo->create_branch("main", root));
  auto timeline = root;
  for (uint8_t i = 2; i <= 6; ++i) {
    timeline = child_of(timeline, i, root.start + 0x1000);
    ASSERT_TRUE(repo->create_branch("b" + std::to_string(i), timeline));
  }
  EXPECT_EQ(repo->inherits_from(id_of(6)), id_of(1));
  ASSERT_TRUE(files.create_directories(repo->wal_directory(id_of(3))));
  EXPECT_EQ(repo->inherits_from(id_of(6)), id_of(3));
  EXPECT_EQ(repo->inherits_from(id_of(3)), id_of(1));
  ASSERT_TRUE(write_file_durably(files, repo->timeline_directory(id_of(5)) / "manifest", {}));
  EXPECT_EQ(repo->inherits_from(id_of(6)), id_of(5));
  EXPECT_FALSE(repo->inherits_from(id_of(1)));
}

TEST_F(repository_fixture, an_earlier_form_of_a_timelines_file_is_read) {
  std::vector<timeline_metadata> chain{root_timeline()};
  ASSERT_TRUE(repo->create_branch("b1", chain[0]));
  for (uint8_t i = 2; i <= 5; ++i) {
    chain.push_back(child_of(chain.back(), i, chain.back().start + 0x1000));
    ASSERT_TRUE(repo->create_branch("b" + std::to_string(i), chain.back()));
  }
  // It names the ancestors' pg_timelines too.
  for (const timeline_metadata& one : chain)
    ASSERT_TRUE(write_metadata_file(files, repo->timeline_directory(one.id) / "timeline.json",
                                    encode(one)));
  reopen();
  for (const timeline_metadata& one : chain) EXPECT_EQ(repo->timeline(one.id), one);
}

TEST_F(repository_fixture, pg_timelines_that_do_not_follow_the_ancestors_are_damage) {
  auto root = root_timeline();
  root.pg_timelines = {{pg_timeline{5}, lsn{0x1000028}}};
  ASSERT_TRUE(repo->create_branch("main", root));
  auto child = child_of(root, 2, lsn{0x2000000});
  child.pg_timelines = {{pg_timeline{4}, lsn{0x2000000}}};
  ASSERT_TRUE(repo->create_branch("child", child));
  const auto found = repo->timeline(child.id);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, errc::corrupt);
}

TEST_F(repository_fixture, names_among_many_exclude_each_other_as_the_rule_says) {
  ASSERT_TRUE(repo->create_branch("main", root_timeline()));
  const std::vector<std::string> names = {"a/b", "a-b", "a.b/c", "b", "c/d/e", "c/d-e", "ab"};
  for (size_t i = 0; i < names.size(); ++i)
    ASSERT_TRUE(repo->create_branch(
        names[i], child_of(root_timeline(), static_cast<uint8_t>(i + 2), lsn{0x2000000})));
  for (const std::string wanted :
       {"a", "a/b", "a/b/c", "a/c", "a.b", "a.b/d", "b/x", "c", "c/d", "c/d/e/f", "c/e", "abc"}) {
    const bool excluded = std::ranges::any_of(
        names, [&](const std::string& taken) { return names_exclude(taken, wanted); });
    EXPECT_EQ(!excluded, repo->check_new_name(wanted).has_value()) << wanted;
  }
}

TEST_F(repository_fixture, a_temporary_file_is_no_name) {
  ASSERT_TRUE(repo->create_branch("main", root_timeline()).has_value());
  ASSERT_TRUE(files.open("repo/refs/branches/x~", open_mode::create).has_value());
  reopen();
  EXPECT_EQ(branch_names(), std::vector<std::string>{"main"});
  EXPECT_TRUE(repo->damaged().empty());
}

/// A story of changes; `step` tells how many have returned.
result<void> story(file_system& files, int& step) {
  ZENITH_TRY_ASSIGN(auto repo, repository::create(files, "repo", "{}"));
  const timeline_metadata root = root_timeline();
  const timeline_metadata child = child_of(root, 2, lsn{0x2000100});
  step = 1;
  ZENITH_TRY(repo.create_branch("main", root));
  step = 2;
  ZENITH_TRY(repo.create_branch("x/y", child));
  step = 3;
  ZENITH_TRY(repo.rename_branch("x/y", "c"));
  step = 4;
  ZENITH_TRY(repo.create_tag("x", tag_at(2, lsn{0x2000100})));
  step = 5;
  ZENITH_TRY(repo.delete_branch("c"));
  step = 6;
  ZENITH_TRY(repo.delete_tag("x"));
  step = 7;
  ZENITH_TRY(repo.remove_timeline(id_of(2)));
  step = 8;
  return {};
}

/// The names after so many steps.
std::set<std::string> names_after(int step) {
  switch (step) {
    case 0:
    case 1:
      return {};
    case 3:
      return {"main", "x/y"};
    case 4:
      return {"main", "c"};
    case 5:
      return {"main", "c", "x"};
    case 6:
      return {"main", "x"};
    default:
      return {"main"};
  }
}

TEST(repository_power_cut, at_any_operation_leaves_the_state_before_or_after_the_step) {
  memory_file_system whole;
  int step = 0;
  const auto told = story(whole, step);
  ASSERT_TRUE(told.has_value()) << told.error().message << " after step " << step;
  ASSERT_EQ(step, 8);
  const uint64_t operations = whole.operations();
  for (uint64_t at = 0; at < operations; ++at) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(at) + ", seed " + std::to_string(seed));
      memory_file_system files;
      files.fail_at(at, memory_file_system::fault::power);
      step = 0;
      ASSERT_FALSE(story(files, step).has_value());
      seed == 0 ? files.power_cut() : files.power_cut_keeping_some(seed);
      const auto opened = repository::open(files, "repo");
      if (!opened) {
        ASSERT_EQ(step, 0) << opened.error().message;
        ASSERT_EQ(opened.error().code, errc::not_found) << opened.error().message;
        continue;
      }
      ASSERT_TRUE(opened->damaged().empty()) << opened->damaged().front().message;
      std::set<std::string> names;
      for (const auto& [name, branch] : opened->branches()) {
        names.insert(name);
        EXPECT_TRUE(opened->timeline(branch.timeline).has_value());
      }
      for (const auto& [name, tag] : opened->tags()) {
        names.insert(name);
        EXPECT_TRUE(opened->timeline(tag.point.timeline).has_value());
      }
      // In the midst of the rename both names may be there.
      if (step == 3 && names == std::set<std::string>{"main", "x/y", "c"}) continue;
      EXPECT_TRUE(names == names_after(step) || names == names_after(step + 1))
          << ::testing::PrintToString(names) << " after step " << step;
    }
  }
}

}  // namespace
}  // namespace zenith::repository
