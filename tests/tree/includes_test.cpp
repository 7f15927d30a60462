// The one direction of includes, and CAF kept out of storage/ and protocol/ (ARCHITECTURE.md).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;

// A folder, and the folders that it may include besides itself.
const std::map<std::string, std::set<std::string>> allowed = [] {
  std::map<std::string, std::set<std::string>> rules;
  rules["storage/base"] = {};
  rules["config"] = {"storage/base"};
  rules["storage/io"] = {"storage/base"};
  rules["storage/postgres"] = {"storage/base"};
  rules["storage/redo"] = {"storage/base", "storage/postgres"};
  rules["storage/wal"] = {"storage/base", "storage/io", "storage/postgres"};
  const auto above = [&](const std::string& folder, std::initializer_list<std::string> below) {
    std::set<std::string> all(below);
    for (const std::string& b : below) all.insert(rules[b].begin(), rules[b].end());
    rules[folder] = all;
  };
  above("storage/layers", {"storage/redo", "storage/wal"});
  above("storage/backup", {"storage/layers"});
  above("storage/repository", {"storage/backup"});
  above("protocol/postgres", {"storage/repository"});
  above("protocol/pages", {"protocol/postgres"});
  rules["protocol/control"] = {"storage/base"};
  above("actors", {"protocol/pages", "protocol/control", "config"});
  above("actors/node", {"actors"});
  above("cli", {"actors"});
  return rules;
}();

TEST(includes, point_only_in_the_one_direction) {
  const fs::path root = ZENITH_SOURCE_DIR;
  const std::regex include{R"rx(^\s*#\s*include\s*([<"])([^>"]+)[>"])rx"};
  int files = 0;
  for (const auto& [folder, may] : allowed) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      ++files;
      std::ifstream in(entry.path());
      std::string line;
      while (std::getline(in, line)) {
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        const std::string target = match[2];
        const std::string target_folder = fs::path(target).parent_path().string();
        if (match[1] == "\"" && target_folder != folder)
          EXPECT_TRUE(may.contains(target_folder)) << entry.path() << " includes " << target;
        if (target.starts_with("caf/"))
          EXPECT_TRUE(folder.starts_with("actors") || folder == "cli")
              << entry.path() << " includes " << target;
        if (target == "postgres.h" || target == "storage/postgres/pg_headers.hpp")
          EXPECT_TRUE(folder == "storage/postgres" || folder == "storage/redo")
              << entry.path() << " includes " << target;
      }
    }
  }
  EXPECT_GT(files, 5);
}

TEST(sources, say_their_one_purpose_in_their_first_line) {
  const fs::path root = ZENITH_SOURCE_DIR;
  for (const char* top : {"storage", "protocol", "actors", "cli", "config", "tests"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const auto extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      std::ifstream in(entry.path());
      std::string line;
      std::getline(in, line);
      EXPECT_TRUE(line.starts_with("// ")) << entry.path();
    }
  }
}

}  // namespace
