// make_golden: makes tests/golden/corpus anew. Its README.md says when one may.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "storage/io/file_system.hpp"
#include "storage/postgres/page_kind.hpp"
#include "tests/golden/scenarios.hpp"
#include "tests/golden/stock_cluster.hpp"
#include "tests/support/golden_layers.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t stops_before_the_end = 7;

void write_file(const fs::path& name, byte_view data) {
  std::ofstream out(name, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + name.string());
}

page page_of(byte_view value) {
  page p;
  std::ranges::copy(value, p.begin());
  return p;
}

/// What of a recovered cluster's files is expected: see golden_stop. `samples`: a whole page of
/// each kind of page and fork.
golden_values expectations(const golden_values& base, const golden_values& files, bool samples) {
  std::set<std::pair<pg::page_kind, fork_number>> sampled;
  golden_values expected;
  for (const auto& [k, value] : files) {
    if (k.kind == key_kind::relation_size || k.kind == key_kind::relation_block) {
      const fork_number fork = k.relation_fork();
      const bool unlogged = files.contains(key::size(k.relation(), fork_number::init));
      if (fork == fork_number::fsm || (unlogged && fork != fork_number::init)) continue;
    }
    expected[k] = value;
    if (k.kind != key_kind::relation_block) continue;
    const page content = page_of(value);
    if (const auto before = base.find(k); before != base.end() && before->second == value)
      expected.erase(k);
    else if (!samples || !sampled.emplace(pg::kind_of(content, k.d), k.relation_fork()).second)
      expected[k] = golden_block::of(content).encode();
  }
  return expected;
}

/// LSNs at which a stop is made: ends of records, evenly spaced by their number, and the last.
std::vector<lsn> stops_of(const stock_wal& wal) {
  std::vector<lsn> stops;
  for (size_t i = 1; i <= stops_before_the_end; ++i)
    stops.push_back(wal.ends[wal.ends.size() * i / (stops_before_the_end + 1)]);
  stops.push_back(wal.end);
  return stops;
}

class maker {
 public:
  explicit maker(fs::path corpus) : corpus_(std::move(corpus)) {
    make_base_cluster(directory_, base_);
    base_values_ = read_stock_files(base_);
    packed_ = pack_golden(base_values_);
    write_file(corpus_ / "base.zst", compress_golden(packed_, {}));
  }

  void make(const golden_recipe& recipe) {
    const fs::path data = directory_ / recipe.name;
    fs::copy(base_, data, fs::copy_options::recursive);
    std::ofstream(data / "postgresql.conf", std::ios::app) << recipe.configuration << "\n";
    postgres_server server(directory_, data);
    server.start();
    const std::string version = server.value("select version()");
    recipe.run(server);
    server.stop();
    const stock_wal wal = read_stock_wal(base_, data);
    report(recipe, wal);
    std::vector<golden_stop> stops;
    for (const lsn at : stops_of(wal)) {
      const fs::path recovered = directory_ / fmt::format("{}-{}", recipe.name, stops.size());
      recover_stock(directory_, base_, wal, at, recovered);
      stops.push_back({at, expectations(base_values_, read_stock_files(recovered), at == wal.end)});
      fs::remove_all(recovered);
    }
    write(recipe, wal, stops, version);
  }

 private:
  static void report(const golden_recipe& recipe, const stock_wal& wal) {
    std::map<std::string, size_t> types;
    for (const auto& type : wal.types) ++types[type];
    std::cout << fmt::format("{}: {} records of {} types, {} bytes of WAL\n", recipe.name,
                             wal.types.size(), types.size(), wal.end - wal.start);
    for (const auto& [type, count] : types) std::cout << fmt::format("    {:>7} {}\n", count, type);
  }

  void write(const golden_recipe& recipe, const stock_wal& wal,
             const std::vector<golden_stop>& stops, const std::string& version) const {
    const fs::path folder = corpus_ / recipe.name;
    fs::create_directories(folder);
    nlohmann::ordered_json manifest;
    manifest["made_by"] = "make_golden " + recipe.name;
    manifest["server"] = version;
    manifest["configuration"] = recipe.configuration;
    manifest["system_identifier"] = std::to_string(static_cast<uint64_t>(wal.identity.system));
    manifest["segment_size_bytes"] = wal.identity.segment_size_bytes;
    manifest["wal_begins_at"] = to_string(wal.begin);
    manifest["starts_at"] = to_string(wal.start);
    manifest["ends_at"] = to_string(wal.end);
    manifest["records"] = wal.types.size();
    manifest["record_types"] = std::set<std::string>(wal.types.begin(), wal.types.end());
    for (const golden_stop& stop : stops)
      manifest["stops"].push_back({{"at", to_string(stop.at)}, {"values", stop.values.size()}});
    const std::string text = manifest.dump(1) + "\n";
    write_file(folder / "manifest.json", as_bytes(text));
    write_file(folder / "wal.zst", compress_golden(wal.data, packed_));
    write_file(folder / "expected.zst", compress_golden(pack_golden(stops), packed_));
    for (const char* file : {"wal.zst", "expected.zst"})
      std::cout << fmt::format("  {} {} bytes\n", file, fs::file_size(folder / file));
  }

  temporary_directory directory_;
  fs::path corpus_;
  fs::path base_ = directory_ / "base";
  golden_values base_values_;
  bytes packed_;
};

/// Layer files of the format's newest version.
void make_layers(const fs::path& folder) {
  file_system& files = posix_file_system();
  if (const auto made = write_golden_delta(files, folder / "delta-2.delta"); !made)
    throw std::runtime_error(made.error().message);
  if (const auto made = write_golden_flushed(files, folder / "delta-2-lz4.delta"); !made)
    throw std::runtime_error(made.error().message);
  if (const auto made = write_golden_ends(files, folder / "ends-2.delta"); !made)
    throw std::runtime_error(made.error().message);
  if (const auto made = write_golden_image(files, folder / "image-2.image"); !made)
    throw std::runtime_error(made.error().message);
}

}  // namespace
}  // namespace zenith::testing

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: make_golden FOLDER [SCENARIO...]\n"
                 "       make_golden FOLDER layers\n";
    return 2;
  }
  try {
    std::filesystem::create_directories(argv[1]);
    if (argc == 3 && std::string(argv[2]) == "layers") {
      zenith::testing::make_layers(argv[1]);
      return 0;
    }
    zenith::testing::maker maker(argv[1]);
    const std::set<std::string> wanted(argv + 2, argv + argc);
    for (const auto& recipe : zenith::testing::golden_recipes())
      if (wanted.empty() || wanted.contains(recipe.name)) maker.make(recipe);
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << "\n";
    return 1;
  }
  return 0;
}
