// One bit is another one on the disk: the error names the place, the rest is served, check finds
// it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/io/durable_file.hpp"
#include "storage/repository/check.hpp"
#include "storage/repository/compute_files.hpp"
#include "storage/repository/kept_configuration.hpp"
#include "storage/wal/removed_wal.hpp"
#include "tests/simulation/faulty_run.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::simulation {
namespace {

using repository::check_report;

const made_cluster& made() {
  static const made_cluster one;
  return one;
}

class flipped_bit : public ::testing::Test {
 protected:
  flipped_bit() : run_(made()) {
    for (size_t step = 0; step < run_.steps(); ++step) {
      const auto taken = run_.take(step);
      if (!taken) throw std::runtime_error(taken.error().message);
    }
    run_.close();
  }

  path timeline(size_t line) const {
    return run_.directory() / "timelines" / to_string(made()[line].metadata.id);
  }
  /// The files of a folder whose names end like this.
  std::vector<path> files_in(const path& folder, const std::string& ending) {
    std::vector<path> found;
    const auto entries = run_.files().list(folder);
    if (!entries) throw std::runtime_error(entries.error().message);
    for (const directory_entry& entry : *entries)
      if (!entry.is_directory && entry.name.ends_with(ending)) found.push_back(folder / entry.name);
    return found;
  }
  uint64_t size_of(const path& name) {
    return *(*run_.files().open(name, open_mode::read))->size_bytes();
  }
  void flip(const path& name, uint64_t offset) {
    auto opened = run_.files().open(name, open_mode::write);
    std::array<std::byte, 1> one{};
    ASSERT_TRUE((*opened)->read(offset, one));
    one[0] ^= std::byte{0x10};
    ASSERT_TRUE((*opened)->write(offset, one));
  }
  check_report check() {
    auto report = repository::check_repository(run_.files(), run_.directory());
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : check_report{};
  }
  /// Exactly this file is damaged, in one place, which is at or before the bit and not far from it.
  void expect_found(const path& name, uint64_t offset, uint64_t block_bytes_max) {
    const check_report report = check();
    ASSERT_FALSE(report.damaged.empty()) << name << " at " << offset;
    EXPECT_EQ(report.damaged.size(), 1u) << name << " at " << offset;
    EXPECT_EQ(report.damaged[0].file, name);
    EXPECT_LE(report.damaged[0].offset, offset) << report.damaged[0].problem;
    EXPECT_LE(offset - report.damaged[0].offset, block_bytes_max) << report.damaged[0].problem;
  }
  /// Offsets spread over a file, the first and the last byte among them.
  static std::vector<uint64_t> places(uint64_t size_bytes) {
    const uint64_t count = testing::full_test_level() ? 200 : 12;
    std::vector<uint64_t> all;
    for (uint64_t i = 0; i < count; ++i) all.push_back(i * (size_bytes - 1) / (count - 1));
    return all;
  }
  void flip_everywhere(const path& name, uint64_t block_bytes_max) {
    for (const uint64_t offset : places(size_of(name))) {
      flip(name, offset);
      expect_found(name, offset, block_bytes_max);
      flip(name, offset);
      if (HasFatalFailure()) return;
    }
  }

  void expect_found_in_layers_and_the_rest_served(size_t line) {
    std::vector<path> names = files_in(timeline(line) / "layers", ".delta");
    ASSERT_FALSE(names.empty());
    for (const path& base : files_in(timeline(line) / "layers", ".image")) names.push_back(base);
    for (const path& name : names) {
      flip_everywhere(name, 64 << 10);
      if (HasFatalFailure()) return;
    }
    const path name = names.front();
    const uint64_t offset = 64 + 16 + 20;  // in the first block
    flip(name, offset);
    ASSERT_TRUE(run_.reopen());
    size_t refused = 0;
    size_t served = 0;
    for (size_t reader = 0; reader < 2; ++reader) {
      const auto seen = run_.store(reader).view();
      const layers::view expected = made().view(reader);
      for (const key& k : made().keys()) {
        const auto found = seen->value(k, seen->until());
        const auto right = expected.value(k, seen->until());
        if (!found && found.error().code == errc::corrupt) {
          ++refused;
          EXPECT_NE(found.error().message.find(name.string()), std::string::npos)
              << found.error().message;
          EXPECT_NE(found.error().message.find("offset 64"), std::string::npos)
              << found.error().message;
        } else if (found && right) {
          EXPECT_EQ(*found, *right) << to_string(k);
          ++served;
        } else {
          EXPECT_EQ(found.has_value(), right.has_value()) << to_string(k);
        }
      }
    }
    EXPECT_GT(refused, 0u) << name;
    EXPECT_GT(served, 0u) << name;
    run_.close();
    flip(name, offset);
  }

  /// A server of the root, whose first segment was removed.
  void add_compute_and_removed_wal() {
    auto names = repository::repository::open(run_.files(), run_.directory());
    ASSERT_TRUE(names) << names.error().message;
    repository::compute_metadata compute;
    compute.name = "reader";
    compute.timeline = made().root().metadata.id;
    compute.at = made().root().metadata.start;
    compute.access = repository::access_mode::read_only;
    compute.port = 15432;
    ASSERT_TRUE(names->write_compute(compute));
    const path wal = timeline(0) / "wal";
    ASSERT_TRUE(wal::write_removed(run_.files(), wal, lsn{made_cluster::segment_size_bytes}));
    ASSERT_TRUE(run_.files().remove(files_in(wal, "").front()));
  }

  faulty_run run_;
};

TEST_F(flipped_bit, nowhere_is_no_damage) {
  const check_report report = check();
  EXPECT_GT(report.files, 8u);
  EXPECT_GT(report.bytes, size_t{2} << 20);
  for (const auto& one : report.damaged) ADD_FAILURE() << one.file << ": " << one.problem;
  for (const path& one : report.unreferenced) ADD_FAILURE() << one << " is referred to by nothing";
}

TEST_F(flipped_bit, in_metadata_is_found_and_named) {
  add_compute_and_removed_wal();
  for (const auto& one : check().damaged) FAIL() << one.file << ": " << one.problem;
  std::vector<path> names{run_.directory() / "config.json",
                          run_.directory() / "refs" / "branches" / "main",
                          timeline(0) / "timeline.json",
                          timeline(0) / layers::manifest_name,
                          timeline(1) / layers::manifest_name,
                          run_.directory() / "computes" / "reader" / "compute.json",
                          timeline(0) / "wal" / wal::removed_file_name};
  for (const path& name : names) {
    flip_everywhere(name, uint64_t{1} << 30);
    if (HasFatalFailure()) return;
    flip(name, 3);
    const auto opened = run_.reopen();
    const std::string told = opened ? run_.difference() : opened.error().message;
    EXPECT_NE(told.find(name.string()), std::string::npos) << name << ": " << told;
    run_.close();
    flip(name, 3);
  }
}

TEST_F(flipped_bit, in_the_kept_configuration_is_found_and_no_server_is_made_from_it) {
  file_system& files = run_.files();
  const path pgdata = "pgdata";
  ASSERT_TRUE(create_directories_durably(files, pgdata));
  for (const char* name : repository::kept_configuration_files)
    ASSERT_TRUE(write_file_durably(files, pgdata / name,
                                   as_bytes(fmt::format("# {0}\n{0}_setting = 'on'\n", name))));
  const path folder = timeline(1) / repository::configuration_folder_name;
  ASSERT_TRUE(repository::keep_configuration(files, pgdata, folder));
  for (const auto& one : check().damaged) FAIL() << one.file << ": " << one.problem;
  const auto kept = repository::newest_configuration(files, {folder});
  ASSERT_TRUE(kept) << kept.error().message;
  ASSERT_EQ(kept->size(), repository::kept_configuration_files.size());
  for (const path& name : files_in(folder, "")) {
    flip_everywhere(name, uint64_t{1} << 30);
    if (HasFatalFailure()) return;
    flip(name, 3);
    const auto read = repository::newest_configuration(files, {folder});
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, errc::corrupt);
    EXPECT_NE(read.error().message.find(name.string()), std::string::npos) << read.error().message;
    flip(name, 3);
  }
  EXPECT_TRUE(repository::newest_configuration(files, {folder}));
}

// Each from a run of its own: what is taken in while a file is damaged may stay unknown.
TEST_F(flipped_bit, in_a_roots_layer_is_found_and_named_and_other_pages_are_served) {
  expect_found_in_layers_and_the_rest_served(0);
}

TEST_F(flipped_bit, in_a_branchs_layer_is_found_and_named_and_other_pages_are_served) {
  expect_found_in_layers_and_the_rest_served(1);
}

TEST_F(flipped_bit, in_wal_is_found_and_named) {
  const made_cluster::line& root = made().root();
  const auto offset_of = [](lsn at) { return at.value() % made_cluster::segment_size_bytes; };
  for (const path& name : files_in(timeline(0) / "wal", "")) {
    const bool is_first = name == files_in(timeline(0) / "wal", "").front();
    // Records in the middle of the file, whose bytes after the header belong to nothing else.
    const double share = is_first ? 0.1 : 0.6;
    for (size_t i = 0; i < 10; ++i) {
      const auto at = std::ranges::find(root.ends, root.at(share)) + static_cast<ptrdiff_t>(i);
      const uint64_t offset = offset_of(*at) + 30;
      flip(name, offset);
      expect_found(name, offset, 20 << 10);
      flip(name, offset);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace zenith::simulation
