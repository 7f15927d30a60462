// Reading the files of a data directory.
#include "storage/backup/data_directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

namespace zenith::backup {

namespace {

// How much is read at once.
constexpr uint32_t pages_per_read = 64;

// Segments of one fork, by number; how long a fork is follows from them once all are known.
using segment_sizes = std::map<std::pair<relation_id, fork_number>, std::map<uint32_t, uint64_t>>;

// md.c, mdnblocks: the first segment that is not full is the last; what is left over of a block,
// and later segments (md.c leaves them empty when it truncates), do not count.
result<block_number> fork_blocks(const relation_id& relation, fork_number fork,
                                 const std::map<uint32_t, uint64_t>& segments) {
  uint64_t blocks = 0;
  uint32_t expected = 0;
  for (const auto& [segment, size_bytes] : segments) {
    if (segment != expected) break;
    const uint64_t here = size_bytes / page_size_bytes;
    if (here > blocks_per_segment)
      return fail(errc::corrupt,
                  fmt::format("{} has {} blocks, expected at most {}",
                              data_directory::file_of(relation, fork, segment * blocks_per_segment),
                              here, blocks_per_segment));
    blocks += here;
    if (here < blocks_per_segment) break;
    ++expected;
  }
  if (expected == 0 && !segments.contains(0))
    return fail(errc::corrupt, fmt::format("{} is missing, though later segments of it exist",
                                           data_directory::file_of(relation, fork, 0)));
  if (blocks > UINT32_MAX - 1)
    return fail(errc::corrupt, fmt::format("relation {} {} has {} blocks, more than PostgreSQL "
                                           "allows",
                                           to_string(relation), to_string(fork), blocks));
  return static_cast<block_number>(blocks);
}

}  // namespace

std::string data_directory::file_of(const relation_id& relation, fork_number fork,
                                    block_number block) {
  return fmt::format(
      "{}/{}", database_directory(relation.tablespace, relation.database),
      to_string(relation_file{relation.relfilenode, fork, block / blocks_per_segment}));
}

result<uint64_t> data_directory::file_size_bytes(const path& name) const {
  ZENITH_TRY_ASSIGN(const auto opened, files_.open(name, open_mode::read));
  return opened->size_bytes();
}

result<bytes> data_directory::read_file(std::string_view name, uint64_t at_most_bytes) const {
  const path full = root_ / name;
  ZENITH_TRY_ASSIGN(const auto opened, files_.open(full, open_mode::read));
  ZENITH_TRY_ASSIGN(const uint64_t size, opened->size_bytes());
  if (size > at_most_bytes)
    return fail(errc::corrupt, fmt::format("{} has {} bytes, expected at most {}", full.string(),
                                           size, at_most_bytes));
  bytes contents(size);
  ZENITH_TRY(opened->read(0, contents));
  return contents;
}

result<std::optional<bytes>> data_directory::read_optional_file(std::string_view name,
                                                                uint64_t at_most_bytes) const {
  ZENITH_TRY_ASSIGN(const bool exists, files_.exists(root_ / name));
  if (!exists) return std::nullopt;
  ZENITH_TRY_ASSIGN(bytes contents, read_file(name, at_most_bytes));
  return contents;
}

result<void> data_directory::check_version(std::string_view directory) const {
  const std::string name =
      directory.empty() ? "PG_VERSION" : fmt::format("{}/PG_VERSION", directory);
  ZENITH_TRY_ASSIGN(const bytes contents, read_file(name, 64));
  const std::string_view text = as_text(contents);
  const std::string_view version = text.substr(0, text.find('\n'));
  if (version != "15")
    return fail(errc::unsupported,
                fmt::format("{} says \"{}\", expected 15: only PostgreSQL 15 is supported",
                            (root_ / name).string(), version));
  return {};
}

result<std::vector<directory_entry>> data_directory::list_if_exists(std::string_view name) const {
  auto entries = files_.list(root_ / name);
  if (!entries && entries.error().code == errc::not_found) return std::vector<directory_entry>{};
  return entries;
}

result<directory_contents> data_directory::list() const {
  ZENITH_TRY(check_version(""));
  directory_contents contents;
  ZENITH_TRY(list_tablespaces(contents));
  ZENITH_TRY(list_relations(global_tablespace, 0, contents));
  ZENITH_TRY(list_databases(default_tablespace, contents));
  for (const auto& tablespace : contents.tablespaces)
    ZENITH_TRY(list_databases(tablespace.first, contents));
  for (const slru_kind slru : all_slrus) ZENITH_TRY(list_slru(slru, contents));
  ZENITH_TRY_ASSIGN(const auto entries, list_if_exists("pg_twophase"));
  for (const directory_entry& entry : entries)
    if (const auto xid = parse_two_phase_file(entry.name)) contents.two_phase.insert(*xid);
  return contents;
}

result<void> data_directory::list_tablespaces(directory_contents& into) const {
  ZENITH_TRY_ASSIGN(const auto entries, list_if_exists("pg_tblspc"));
  for (const directory_entry& entry : entries) {
    const auto oid = parse_oid(entry.name);
    if (!oid) continue;
    // No link: a tablespace in place (allow_in_place_tablespaces), which has no location.
    std::error_code not_a_link;
    const path location =
        std::filesystem::read_symlink(root_ / "pg_tblspc" / entry.name, not_a_link);
    into.tablespaces[*oid] = not_a_link ? std::string{} : location.string();
  }
  return {};
}

result<void> data_directory::list_databases(uint32_t tablespace, directory_contents& into) const {
  const std::string parent =
      tablespace == default_tablespace ? "base" : tablespace_version_directory(tablespace);
  ZENITH_TRY_ASSIGN(const auto entries, list_if_exists(parent));
  for (const directory_entry& entry : entries) {
    const auto oid = parse_oid(entry.name);
    if (!oid || !entry.is_directory) continue;
    const std::string directory = database_directory(tablespace, *oid);
    // A directory without it holds some relations of a database whose own tablespace is another
    // one (tablespace.c, TablespaceCreateDbspace).
    ZENITH_TRY_ASSIGN(const bool is_home, files_.exists(root_ / directory / "PG_VERSION"));
    if (is_home) {
      ZENITH_TRY(check_version(directory));
      into.databases.insert({tablespace, *oid});
    }
    ZENITH_TRY(list_relations(tablespace, *oid, into));
  }
  return {};
}

result<void> data_directory::list_relations(uint32_t tablespace, uint32_t database,
                                            directory_contents& into) const {
  const std::string directory = database_directory(tablespace, database);
  ZENITH_TRY_ASSIGN(const auto entries, files_.list(root_ / directory));
  segment_sizes sizes;
  for (const directory_entry& entry : entries) {
    const auto name = parse_relation_file(entry.name);
    if (!name || entry.is_directory) continue;
    ZENITH_TRY_ASSIGN(const uint64_t size, file_size_bytes(root_ / directory / entry.name));
    sizes[{{tablespace, database, name->relfilenode}, name->fork}][name->segment] = size;
  }
  for (const auto& [fork, segments] : sizes) {
    ZENITH_TRY_ASSIGN(const block_number blocks, fork_blocks(fork.first, fork.second, segments));
    into.relations[fork.first][fork.second] = blocks;
  }
  return {};
}

result<void> data_directory::list_slru(slru_kind slru, directory_contents& into) const {
  ZENITH_TRY_ASSIGN(const auto entries, list_if_exists(directory_of(slru)));
  for (const directory_entry& entry : entries) {
    const auto segment = parse_slru_file(entry.name);
    if (!segment || entry.is_directory) continue;
    const path name = root_ / directory_of(slru) / entry.name;
    ZENITH_TRY_ASSIGN(const uint64_t size, file_size_bytes(name));
    if (size % page_size_bytes != 0 || size / page_size_bytes > slru_pages_per_segment)
      return fail(
          errc::corrupt,
          fmt::format("{} has {} bytes, expected a multiple of {} and at most {}", name.string(),
                      size, page_size_bytes, page_size_bytes * slru_pages_per_segment));
    into.slrus[static_cast<size_t>(slru)][*segment] = static_cast<uint32_t>(size / page_size_bytes);
  }
  return {};
}

result<void> data_directory::read_pages(const std::string& name, block_number first, uint32_t pages,
                                        const block_callback& each) const {
  ZENITH_TRY_ASSIGN(const auto opened, files_.open(root_ / name, open_mode::read));
  std::vector<page> buffer(std::min(pages, pages_per_read));
  for (uint32_t done = 0; done < pages;) {
    const uint32_t count = std::min(pages - done, pages_per_read);
    const byte_span target{reinterpret_cast<std::byte*>(buffer.data()), count * page_size_bytes};
    ZENITH_TRY(opened->read(uint64_t{done} * page_size_bytes, target));
    for (uint32_t i = 0; i < count; ++i) ZENITH_TRY(each(first + done + i, buffer[i]));
    done += count;
  }
  return {};
}

result<void> data_directory::read_fork(const relation_id& relation, fork_number fork,
                                       block_number blocks, const block_callback& each) const {
  for (block_number first = 0; first < blocks;) {
    const uint32_t count = std::min(blocks - first, blocks_per_segment);
    ZENITH_TRY(read_pages(file_of(relation, fork, first), first, count, each));
    first += count;
  }
  return {};
}

result<void> data_directory::read_slru_segment(slru_kind slru, uint32_t segment, uint32_t pages,
                                               const block_callback& each) const {
  return read_pages(slru_file(slru, segment), segment * slru_pages_per_segment, pages, each);
}

}  // namespace zenith::backup
