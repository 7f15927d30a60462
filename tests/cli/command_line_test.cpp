// What is typed, as data; help, wrong usage and completion.
#include "cli/command_line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cli/suggest.hpp"

namespace zenith::cli {
namespace {

std::variant<command_line, only_text> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "zenith");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

command_line parsed(const std::vector<const char*>& words) {
  const auto result = parse(words);
  if (const auto* text = std::get_if<only_text>(&result))
    throw std::runtime_error("not parsed: " + text->errors + text->output);
  return std::get<command_line>(result);
}

only_text refused(const std::vector<const char*>& words) {
  const auto result = parse(words);
  if (std::holds_alternative<command_line>(result)) throw std::runtime_error("was parsed");
  return std::get<only_text>(result);
}

TEST(command_line, options_for_all_commands_may_come_before_and_after_the_command) {
  for (const auto& line : {parsed({"--repo", "/x", "--json", "pg", "list"}),
                           parsed({"pg", "list", "--json", "--repo", "/x"}),
                           parsed({"pg", "--json", "list", "--repo=/x"})}) {
    EXPECT_EQ(line.what, command::pg_list);
    EXPECT_EQ(line.repository, "/x");
    EXPECT_TRUE(line.json);
  }
}

TEST(command_line, branch_lists_makes_deletes_and_renames) {
  EXPECT_EQ(parsed({"branch"}).what, command::branch_list);
  const auto made = parsed({"branch", "a", "main@0/1000"});
  EXPECT_EQ(made.what, command::branch_make);
  EXPECT_EQ(made.name, "a");
  EXPECT_EQ(made.point, "main@0/1000");
  for (const auto& line :
       {parsed({"branch", "--delete", "a", "--force"}), parsed({"branch", "a", "--force", "-d"})}) {
    EXPECT_EQ(line.what, command::branch_delete);
    EXPECT_EQ(line.name, "a");
    EXPECT_TRUE(line.force);
  }
  const auto renamed = parsed({"branch", "--rename", "old", "new"});
  EXPECT_EQ(renamed.what, command::branch_rename);
  EXPECT_EQ(renamed.name, "old");
  EXPECT_EQ(renamed.new_name, "new");
}

TEST(command_line, tags_and_computes) {
  EXPECT_EQ(parsed({"tag"}).what, command::tag_list);
  EXPECT_EQ(parsed({"tag", "v1"}).what, command::tag_make);
  EXPECT_EQ(parsed({"tag", "--delete", "v1"}).what, command::tag_delete);
  const auto made = parsed({"pg", "create", "a", "main", "--port", "5555", "--sync", "--read-only",
                            "--full", "--start"});
  EXPECT_EQ(made.what, command::pg_create);
  EXPECT_EQ(made.port, 5555);
  EXPECT_TRUE(made.sync && made.read_only && made.full && made.start);
  EXPECT_TRUE(parsed({"pg", "stop", "a", "--immediate"}).immediate);
}

TEST(command_line, what_follows_two_dashes_is_psqls) {
  const auto line = parsed({"pg", "psql", "main", "--", "-c", "select 1", "--json"});
  EXPECT_EQ(line.name, "main");
  EXPECT_EQ(line.arguments, (std::vector<std::string>{"-c", "select 1", "--json"}));
  EXPECT_FALSE(line.json);
}

TEST(command_line, a_pages_place) {
  const auto line = parsed({"page", "main", "1663/5/16384", "vm", "7", "--out", "f"});
  EXPECT_EQ(line.relation, "1663/5/16384");
  EXPECT_EQ(line.fork, "vm");
  EXPECT_EQ(line.block, 7u);
  EXPECT_EQ(line.file, "f");
}

TEST(command_line, a_setting_is_shown_or_set_also_to_nothing) {
  EXPECT_FALSE(parsed({"config", "user"}).value);
  EXPECT_EQ(parsed({"config", "user", "me"}).value, "me");
  EXPECT_EQ(parsed({"config", "user", ""}).value, "");
}

TEST(command_line, wrong_usage_is_code_2_with_one_line_and_no_output) {
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{"brnch"},
                                             {"pg"},
                                             {"pg", "lst"},
                                             {"pg", "start"},
                                             {"lsn"},
                                             {"status", "extra"},
                                             {"status", "--nonsense"},
                                             {"--repo"},
                                             {"branch", "--delete"},
                                             {"branch", "--delete", "a", "b"},
                                             {"branch", "--rename", "a"},
                                             {"branch", "-d", "-m", "a", "b"},
                                             {"branch", "a", "--force"},
                                             {"tag", "--delete"},
                                             {"pg", "create", "a", "--port", "70000"},
                                             {"page", "main", "1/2/3", "mian", "0"},
                                             {"page", "main", "1/2/3", "main", "x"},
                                             {"init", "--wal-segsize", "3"},
                                             {"init", "--wal-segsize", "2048"},
                                             {"completion", "tcsh"},
                                             {"layer"},
                                             {"layer", "dump"},
                                             {"layer", "dump", "file", "--keys", "--blocks"},
                                             {"help", "nothing"}}) {
    const only_text text = refused(words);
    EXPECT_EQ(text.exit_code, 2) << words[0];
    EXPECT_EQ(text.output, "");
    EXPECT_TRUE(text.errors.starts_with("zenith: ")) << text.errors;
    EXPECT_EQ(std::count(text.errors.begin(), text.errors.end(), '\n'), 1) << text.errors;
  }
}

TEST(command_line, an_unknown_command_suggests_the_nearest) {
  EXPECT_NE(refused({"brnch"}).errors.find("did you mean 'branch'?"), std::string::npos);
  EXPECT_NE(refused({"--repo", "status", "stats"}).errors.find("'status'"), std::string::npos);
  EXPECT_NE(refused({"pg", "crate"}).errors.find("did you mean 'create'?"), std::string::npos);
  EXPECT_NE(refused({"layer", "dmp"}).errors.find("did you mean 'dump'?"), std::string::npos);
  EXPECT_EQ(refused({"xyzzy"}).errors.find("did you mean"), std::string::npos);
}

TEST(command_line, help_and_version_are_no_failures) {
  EXPECT_EQ(refused({"--version"}).output, "zenith " ZENITH_VERSION "\n");
  const std::string front = refused({"help"}).output;
  EXPECT_EQ(refused({"--help"}).output, front);
  for (const char* name :
       {"init", "start", "branch", "tag", "pg", "export", "verify", "check", "config"}) {
    const only_text text = refused({"help", name});
    EXPECT_EQ(text.exit_code, 0);
    EXPECT_NE(text.output.find(std::string("Usage: zenith ") + name), std::string::npos);
    EXPECT_NE(front.find(std::string("\n  ") + name + " "), std::string::npos) << name;
  }
  EXPECT_EQ(refused({"pg", "create", "--help"}).output, refused({"help", "pg", "create"}).output);
}

TEST(command_line, no_command_shows_the_help_as_wrong_usage) {
  const only_text text = refused({});
  EXPECT_EQ(text.exit_code, 2);
  EXPECT_EQ(text.output, "");
  EXPECT_NE(text.errors.find("Usage: zenith"), std::string::npos);
}

TEST(completion, offers_each_commands_words) {
  const std::string script = refused({"completion", "bash"}).output;
  const auto words_of = [&](const std::string& path) {
    const std::string head = "    '" + path + "') words='";
    const size_t at = script.find(head);
    if (at == std::string::npos) return std::string("(none)");
    const size_t begin = at + head.size();
    return " " + script.substr(begin, script.find('\'', begin) - begin) + " ";
  };
  EXPECT_NE(words_of("").find(" branch "), std::string::npos);
  EXPECT_NE(words_of("").find(" --json "), std::string::npos);
  EXPECT_NE(words_of("pg").find(" create "), std::string::npos);
  EXPECT_NE(words_of("pg create").find(" --read-only "), std::string::npos);
  EXPECT_NE(words_of("branch").find(" --rename "), std::string::npos);
}

TEST(suggest, counts_what_a_hand_does_wrong) {
  EXPECT_EQ(edit_distance("branch", "branch"), 0u);
  EXPECT_EQ(edit_distance("brnch", "branch"), 1u);
  EXPECT_EQ(edit_distance("barnch", "branch"), 1u);
  EXPECT_EQ(edit_distance("", "pg"), 2u);
  EXPECT_EQ(nearest("stauts", {"start", "status", "stop"}), "status");
  EXPECT_EQ(nearest("q", {"pg", "gc"}), "");
}

}  // namespace
}  // namespace zenith::cli
