// Reading a stopped server's files and its WAL.
#include "tests/support/cluster_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "storage/wal/decoder.hpp"
#include "tests/support/wal_segments.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t control_data_size_bytes = 296;  // pg_control.h, ControlFileData
constexpr const char* version_directory = "PG_15_202209061";
constexpr uint32_t default_tablespace = 1663;
constexpr uint32_t global_tablespace = 1664;
constexpr uint32_t slru_pages_per_file = 32;
constexpr uint32_t blocks_per_file = 131072;

bytes read_file(const fs::path& name) {
  std::ifstream in(name, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + name.string());
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto view = as_bytes(text);
  return {view.begin(), view.end()};
}

void read_slru(const fs::path& data, slru_kind slru, cluster_files& into) {
  for (const auto& entry : fs::directory_iterator(data / directory_of(slru))) {
    const auto segment =
        static_cast<uint32_t>(std::stoul(entry.path().filename().string(), nullptr, 16));
    const bytes content = read_file(entry.path());
    for (size_t at = 0; at + page_size_bytes <= content.size(); at += page_size_bytes)
      into.values[key::slru(
          slru, segment * slru_pages_per_file + static_cast<uint32_t>(at / page_size_bytes))] =
          bytes(content.begin() + at, content.begin() + at + page_size_bytes);
  }
}

fork_number fork_of(const std::string& suffix) {
  for (const fork_number fork : all_forks)
    if (suffix == to_string(fork)) return fork;
  return fork_number::main;
}

/// A folder with relations: a database's in a tablespace, or the global one.
void read_folder(const fs::path& folder, uint32_t tablespace, uint32_t database,
                 cluster_files& into) {
  static const std::regex relation_file(R"((\d+)(?:_(fsm|vm|init))?(?:\.(\d+))?)");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "pg_filenode.map")
      into.values[key::relation_map(tablespace, database)] = read_file(entry.path());
    if (name == "PG_VERSION") into.values[key::database(tablespace, database)] = {};
    std::smatch match;
    if (!std::regex_match(name, match, relation_file)) continue;
    const relation_id relation{tablespace, database,
                               static_cast<uint32_t>(std::stoul(match[1].str()))};
    const fork_number fork = fork_of(match[2].str());
    const uint32_t first =
        match[3].matched ? static_cast<uint32_t>(std::stoul(match[3].str())) * blocks_per_file : 0;
    const bytes content = read_file(entry.path());
    const auto count = static_cast<uint32_t>(content.size() / page_size_bytes);
    auto& size = into.sizes[key::size(relation, fork)];
    size = std::max(size, first + count);
    for (uint32_t i = 0; i < count; ++i)
      std::memcpy(into.blocks[key::block(relation, fork, first + i)].begin(),
                  content.data() + size_t{i} * page_size_bytes, page_size_bytes);
  }
}

void read_databases(const fs::path& folder, uint32_t tablespace, cluster_files& into) {
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder))
    if (const std::string name = entry.path().filename().string();
        entry.is_directory() && name.find_first_not_of("0123456789") == std::string::npos)
      read_folder(entry.path(), tablespace, static_cast<uint32_t>(std::stoul(name)), into);
}

/// All segment files have the same size.
uint32_t segment_size_of(const fs::path& wal) {
  for (const auto& entry : fs::directory_iterator(wal))
    if (entry.path().filename().string().size() == 24)
      return static_cast<uint32_t>(fs::file_size(entry.path()));
  throw std::runtime_error("no WAL in " + wal.string());
}

/// pg_logical/replorigin_checkpoint (origin.c, CheckPointReplicationOrigin): a magic number, then
/// 16 bytes each, then a CRC.
void read_origins(const fs::path& name, cluster_files& into) {
  if (!fs::exists(name)) return;
  const bytes content = read_file(name);
  for (size_t at = 4; at + 16 + 4 <= content.size(); at += 16)
    into.values[key::replication_origin(load<uint16_t>(content.data() + at))] =
        bytes(content.begin() + at + 8, content.begin() + at + 16);
}

}  // namespace

cluster_files cluster_files::read(const fs::path& data) {
  cluster_files files;
  files.values[key::control()] = read_file(data / "global" / "pg_control");
  files.values[key::control()].resize(control_data_size_bytes);
  for (const slru_kind slru : all_slrus) read_slru(data, slru, files);
  read_folder(data / "global", global_tablespace, 0, files);
  read_databases(data / "base", default_tablespace, files);
  for (const auto& entry : fs::directory_iterator(data / "pg_tblspc")) {
    const auto oid = static_cast<uint32_t>(std::stoul(entry.path().filename().string()));
    const std::string path =
        fs::is_symlink(entry.path()) ? fs::read_symlink(entry.path()).string() : "";
    const auto view = as_bytes(path);
    files.values[key::tablespace(oid)] = bytes(view.begin(), view.end());
    read_databases(entry.path() / version_directory, oid, files);
  }
  for (const auto& entry : fs::directory_iterator(data / "pg_twophase"))
    files.values[key::two_phase(static_cast<uint32_t>(
        std::stoul(entry.path().filename().string(), nullptr, 16)))] = read_file(entry.path());
  read_origins(data / "pg_logical" / "replorigin_checkpoint", files);
  return files;
}

void cluster_files::give_to(memory_sink& sink) const {
  for (const auto& [k, value] : values) sink.set_value(k, value);
  for (const auto& [k, size] : sizes) sink.set_relation(k.relation(), k.relation_fork(), size);
  for (const auto& [k, content] : blocks) sink.set_block(k, content);
}

lsn for_each_record(const fs::path& data, lsn start,
                    const std::function<void(const pg::record&)>& each) {
  const bytes control = read_file(data / "global" / "pg_control");
  const wal::wal_identity identity{system_identifier{load<uint64_t>(control.data())},
                                   segment_size_of(data / "pg_wal")};
  const uint64_t segment_size = identity.segment_size_bytes;
  wal::decoder decoder(identity, start, lsn{});
  pg::record record;
  for (const auto& [number, segment] : wal_segments(data / "pg_wal", identity.segment_size_bytes)) {
    const lsn begin{number * segment_size};
    if (begin + segment_size <= start) continue;
    const bytes content = read_file(segment);
    const lsn from = std::max(begin, lsn{start.value() / page_size_bytes * page_size_bytes});
    if (auto fed = decoder.feed(from, byte_view(content).subspan(from - begin)); !fed)
      throw std::runtime_error(fed.error().message);
    for (;;) {
      auto next = decoder.next();
      if (!next) {
        if (decoder.failed_at_zeros()) return decoder.position();
        throw std::runtime_error(next.error().message);
      }
      if (!*next) break;
      if (auto decoded = pg::decode_record((*next)->bytes, (*next)->start, (*next)->end, record);
          !decoded)
        throw std::runtime_error(decoded.error().message);
      each(record);
    }
  }
  return decoder.position();
}

}  // namespace zenith::testing
