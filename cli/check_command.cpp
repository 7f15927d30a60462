// zenith check.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/text.hpp"
#include "storage/repository/check.hpp"

namespace zenith::cli {
namespace {

constexpr size_t shown_places_max = 20;

json to_json(const repository::damaged_place& one) {
  return json::object(
      {{"file", one.file.string()}, {"offset", one.offset}, {"problem", one.problem}});
}

std::string text_of(const repository::check_report& report) {
  std::string text =
      fmt::format("read {} files, {}: {}\n", report.files, shown_size(report.bytes),
                  report.damaged.empty() ? "no damage"
                                         : fmt::format("{} damaged place{}", report.damaged.size(),
                                                       report.damaged.size() == 1 ? "" : "s"));
  size_t shown = 0;
  for (const repository::damaged_place& one : report.damaged) {
    if (++shown > shown_places_max) {
      text +=
          fmt::format("and {} more (--json has all)\n", report.damaged.size() - shown_places_max);
      break;
    }
    text += fmt::format("{} at offset {}: {}\n", one.file.string(), one.offset, one.problem);
  }
  if (!report.unreferenced.empty())
    text += fmt::format("{} files are referred to by nothing, which is no damage\n",
                        report.unreferenced.size());
  return text;
}

}  // namespace

result<answer> run_check(const std::filesystem::path& repository) {
  show_progress("reading every file");
  ZENITH_TRY_ASSIGN(const auto report,
                    repository::check_repository(posix_file_system(), repository));
  std::vector<json> damaged;
  for (const repository::damaged_place& one : report.damaged) damaged.push_back(to_json(one));
  std::vector<json> unreferenced;
  for (const path& one : report.unreferenced) unreferenced.emplace_back(one.string());
  const bool ok = report.damaged.empty();
  return answer{json::object({{"files", report.files},
                              {"bytes", report.bytes},
                              {"damaged", json::array(damaged)},
                              {"unreferenced", json::array(unreferenced)},
                              {"ok", ok}}),
                text_of(report), ok ? 0 : 1};
}

}  // namespace zenith::cli
