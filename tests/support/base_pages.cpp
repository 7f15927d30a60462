// base_pages: relation files of a data directory.
#include "tests/support/base_pages.hpp"

#include <fmt/format.h>

#include <fstream>

namespace zenith::testing {
namespace {

constexpr uint32_t default_tablespace = 1663;
constexpr uint32_t global_tablespace = 1664;
constexpr uint32_t blocks_a_segment = 131072;  // RELSEG_SIZE
constexpr auto version_directory = "PG_15_202209061";

}  // namespace

std::filesystem::path base_pages::file_of(const relation_id& relation, fork_number fork,
                                          uint32_t segment) const {
  auto path = data_;
  if (relation.tablespace == global_tablespace)
    path /= "global";
  else if (relation.tablespace == default_tablespace)
    path /= fmt::format("base/{}", relation.database);
  else
    path /= fmt::format("pg_tblspc/{}/{}/{}", relation.tablespace, version_directory,
                        relation.database);
  auto name = fmt::format("{}", relation.relfilenode);
  if (fork != fork_number::main) name += fmt::format("_{}", to_string(fork));
  if (segment > 0) name += fmt::format(".{}", segment);
  return path / name;
}

std::optional<page> base_pages::read(const relation_id& relation, fork_number fork,
                                     block_number block) const {
  std::ifstream file(file_of(relation, fork, block / blocks_a_segment), std::ios::binary);
  if (!file) return std::nullopt;
  file.seekg(static_cast<std::streamoff>(block % blocks_a_segment) *
             static_cast<std::streamoff>(page_size_bytes));
  page p;
  file.read(reinterpret_cast<char*>(p.begin()), static_cast<std::streamsize>(page_size_bytes));
  if (file.gcount() != static_cast<std::streamsize>(page_size_bytes)) return std::nullopt;
  return p;
}

}  // namespace zenith::testing
