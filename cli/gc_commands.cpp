// zenith gc and compact.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/text.hpp"

namespace zenith::cli {
namespace {

enum class tense : uint8_t { done, would };

answer describe(const actors::gc_reply& done, tense when) {
  const char* verb = when == tense::would ? "would remove" : "removed";
  std::vector<json> removed;
  for (const std::string& one : done.removed) removed.push_back(one);
  std::vector<json> kept;
  for (const std::string& one : done.kept) kept.push_back(one);
  answer made{json::object({{"removed_files", done.removed_files},
                            {"removed_bytes", done.removed_bytes},
                            {"kept_bytes", done.kept_bytes},
                            {"removed_wal_files", done.removed_wal_files},
                            {"removed_wal_bytes", done.removed_wal_bytes},
                            {"kept_wal_bytes", done.kept_wal_bytes},
                            {"estimated_bytes", done.estimated_bytes},
                            {"removed", json::array(removed)},
                            {"kept", json::array(kept)}}),
              fmt::format("{} {} files, {}; {} stay\n", verb, done.removed_files,
                          shown_size(done.removed_bytes), shown_size(done.kept_bytes))};
  if (when == tense::would)
    made.text +=
        fmt::format("merges would free about {} of what stays\n", shown_size(done.estimated_bytes));
  if (done.removed_wal_files != 0 || done.kept_wal_bytes != 0)
    made.text += fmt::format("{} {} WAL segments, {}; {} stay\n", verb, done.removed_wal_files,
                             shown_size(done.removed_wal_bytes), shown_size(done.kept_wal_bytes));
  for (const std::string& one : done.kept) made.text += "  " + one + "\n";
  return made;
}

}  // namespace

result<answer> run_gc(node_client& node, const command_line& line) {
  ZENITH_TRY_ASSIGN(const auto done, node.collect(line.dry_run));
  return describe(done, line.dry_run ? tense::would : tense::done);
}

result<answer> run_compact(node_client& node, const command_line& line) {
  ZENITH_TRY_ASSIGN(const auto done, node.compact(line.name));
  return describe(done, tense::done);
}

}  // namespace zenith::cli
