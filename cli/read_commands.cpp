// zenith export, page and verify.
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

#include "cli/commands.hpp"
#include "cli/owner.hpp"
#include "cli/progress.hpp"
#include "cli/text.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t shown_mismatches_max = 10;

std::string sha256_of(const std::vector<uint8_t>& data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    return "";
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

// "1663/5/16384" into three numbers.
result<void> read_relation(std::string_view text, actors::page_request& request) {
  const std::array<uint32_t*, 3> numbers{&request.tablespace, &request.database,
                                         &request.relfilenode};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto [next, failure] = std::from_chars(at, end, *numbers[i]);
    const bool is_last = i + 1 == numbers.size();
    if (failure != std::errc() || (is_last ? next != end : next == end || *next != '/'))
      return fail(errc::invalid_argument,
                  fmt::format("a relation is TBLSPC/DB/REL, three numbers such as 1663/5/1259 (see "
                              "pg_relation_filepath), not '{}'",
                              text));
    at = next + 1;
  }
  return {};
}

uint8_t fork_of(const std::string& name) {
  // ForkNumber (relpath.h).
  constexpr std::array names{"main", "fsm", "vm", "init"};
  for (size_t i = 0; i < names.size(); ++i)
    if (name == names[i]) return static_cast<uint8_t>(i);
  return 0;
}

result<void> write_page(const fs::path& name, const std::vector<uint8_t>& data) {
  std::ofstream out(name, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  out.close();
  if (!out)
    return fail(errc::io, fmt::format("cannot write {}: {}", name.string(), strerror(errno)));
  return {};
}

result<void> check_is_free(const fs::path& target) {
  std::error_code failure;
  if (!fs::exists(target, failure)) return {};
  if (!fs::is_directory(target, failure))
    return fail(errc::already_exists, target.string() + " is there and no directory");
  if (!fs::is_empty(target, failure) || failure)
    return fail(errc::already_exists,
                target.string() + " is not empty; choose a new or empty directory");
  return {};
}

// As root: the node writes as the repository's owner, who has to have the directory. Says whether
// it was made here.
result<bool> hand_to_owner(const fs::path& target, const fs::path& repository) {
  ZENITH_TRY_ASSIGN(const user owner, owner_of(repository));
  const fs::path closed = first_unreachable(target.parent_path(), owner);
  if (!closed.empty())
    return fail(errc::conflict,
                fmt::format("user {}, as whom the node writes, cannot enter {}; choose another "
                            "directory",
                            owner.name, closed.string()));
  const bool made = mkdir(target.c_str(), 0700) == 0;
  if (!made && errno != EEXIST)
    return fail(errc::io, fmt::format("cannot make {}: {}", target.string(), strerror(errno)));
  if (chown(target.c_str(), owner.id, owner.group) != 0)
    return fail(errc::io, fmt::format("cannot give {} to user {}: {}", target.string(), owner.name,
                                      strerror(errno)));
  return made;
}

}  // namespace

result<answer> run_export(const fs::path& repository, node_client& node, const command_line& line) {
  ZENITH_TRY(check_is_free(line.directory));
  bool made = false;
  if (geteuid() == 0) {
    ZENITH_TRY_ASSIGN(made, hand_to_owner(line.directory, repository));
  }
  show_progress("writing " + line.directory);
  const auto done = node.write_export(line.point, line.directory);
  if (!done) {
    std::error_code ignored;
    if (made) fs::remove(line.directory, ignored);  // only where it is empty
    return tl::unexpected<error>(done.error());
  }
  const auto& written = *done;
  return answer{
      json::object({{"directory", written.directory},
                    {"timeline", written.timeline},
                    {"lsn", shown_lsn(written.lsn)},
                    {"bytes", written.size_bytes}}),
      fmt::format("wrote {} ({}) as of {}\nstart it with: pg_ctl -D {} start\n", written.directory,
                  shown_size(written.size_bytes), shown_lsn(written.lsn), written.directory)};
}

result<answer> run_page(node_client& node, const command_line& line) {
  actors::page_request request;
  request.point = line.point;
  request.fork = fork_of(line.fork);
  request.block = line.block;
  ZENITH_TRY(read_relation(line.relation, request));
  const bool raw = line.file.empty() && !line.json;
  if (raw && isatty(STDOUT_FILENO) != 0)
    return fail(errc::invalid_argument,
                "a page's bytes do not go to a terminal; use --out FILE, --json, or a pipe");
  ZENITH_TRY_ASSIGN(const auto page, node.read_page(request));
  if (!line.file.empty()) ZENITH_TRY(write_page(line.file, page.data));
  const std::string digest = sha256_of(page.data);
  answer made{
      json::object({{"lsn", shown_lsn(page.lsn)},
                    {"page_lsn", page.page_lsn == 0 ? json("0/0") : json(shown_lsn(page.page_lsn))},
                    {"sha256", digest}}),
      fmt::format("wrote {} as of {}: page LSN {}, sha256 {}\n", line.file, shown_lsn(page.lsn),
                  shown_lsn(page.page_lsn), digest)};
  if (raw) made.text.assign(page.data.begin(), page.data.end());
  return made;
}

result<answer> run_verify(node_client& node, const command_line& line) {
  show_progress("comparing every page");
  ZENITH_TRY_ASSIGN(const auto report, node.verify(line.point, line.directory));
  const bool ok = report.mismatch_count == 0;
  std::vector<json> mismatches;
  std::vector<std::vector<std::string>> rows;
  for (const auto& one : report.mismatches) {
    mismatches.push_back(
        json::object({{"file", one.file}, {"block", one.block}, {"offset", one.offset}}));
    if (rows.size() < shown_mismatches_max)
      rows.push_back({one.file, std::to_string(one.block), std::to_string(one.offset)});
  }
  std::string text =
      fmt::format("compared {} pages of {} relations: {}\n", report.pages, report.relations,
                  ok ? "no mismatch" : fmt::format("{} mismatches", report.mismatch_count));
  if (!ok)
    text +=
        table({{"file"}, {"block", column::side::right}, {"offset", column::side::right}}, rows);
  return answer{json::object({{"relations", report.relations},
                              {"pages", report.pages},
                              {"mismatches", json::array(mismatches)},
                              {"mismatch_count", report.mismatch_count},
                              {"ok", ok}}),
                text, ok ? 0 : 1};
}

}  // namespace zenith::cli
