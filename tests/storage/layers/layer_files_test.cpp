// layer_files: files open when they are read, no more than a bound of them, and in use by name.
#include "storage/layers/layer_files.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/sample_versions.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::for_each_entry;
using zenith::testing::memory_file_system;
using zenith::testing::random_versions;
using zenith::testing::read_all;
using zenith::testing::sample_versions;

const path timelines = "/timelines";
constexpr lsn after{0x2000028};
constexpr lsn last{0x3000000};
const key last_key{key_kind::transaction_ends, ~0u, ~0u, ~0u, 3, ~0u};

class layer_files_test : public ::testing::Test {
 protected:
  void make(size_t cache_bytes, size_t open_files) {
    registry_ = std::make_unique<layer_files>(files_, timelines,
                                              layer_files::limits{cache_bytes, open_files});
  }
  layer_file_info write(uint64_t number, const sample_versions& all) {
    const layer_name name{id_, number, layer_kind::delta};
    auto out = delta_writer::create(files_, registry_->path_of(name), name, after, last, 1);
    EXPECT_TRUE(out) << out.error().message;
    for_each_entry(all, [&](const version_entry& e) { EXPECT_TRUE(out->add(e)); });
    return out->finish().value();
  }
  void expect_readable(const layer& from, const sample_versions& all) {
    for (const auto& [k, versions] : all) {
      key_history found;
      const auto done = from.collect(k, {}, lsn::max(), found);
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_EQ(found.newest, versions.begin()->first);
    }
  }

  const timeline_id id_ = timeline_id::random();
  memory_file_system files_;
  std::unique_ptr<layer_files> registry_;
};

TEST_F(layer_files_test, names_say_number_and_kind) {
  make(1 << 20, 10);
  EXPECT_EQ(file_name_of({id_, 0, layer_kind::image}), "base.image");
  EXPECT_EQ(file_name_of({id_, 0x2a, layer_kind::delta}), "0000002a.delta");
  EXPECT_EQ(file_name_of({id_, 0x123456789, layer_kind::image}), "123456789.image");
  EXPECT_EQ(registry_->path_of({id_, 1, layer_kind::delta}),
            timelines / to_string(id_) / "layers" / "00000001.delta");
}

TEST_F(layer_files_test, gives_one_object_as_long_as_somebody_holds_it) {
  make(1 << 20, 10);
  layer_file_info info;
  info.name = {id_, 1, layer_kind::delta};
  const auto first = registry_->find(info);
  EXPECT_EQ(registry_->find(info), first);
  const uint64_t identity = first->identity();
  info.name.number = 2;
  EXPECT_NE(registry_->find(info), first);
  info.name.number = 1;
  EXPECT_EQ(registry_->find(info)->identity(), identity);
}

TEST_F(layer_files_test, reads_more_files_than_may_be_open) {
  make(1 << 20, 3);
  std::vector<sample_versions> contents;
  std::vector<std::shared_ptr<const layer>> layers;
  for (uint64_t number = 1; number <= 10; ++number) {
    contents.push_back(random_versions(number, 30, after, last));
    layers.push_back(registry_->find(write(number, contents.back())));
  }
  for (int round = 0; round < 3; ++round)
    for (size_t i = 0; i < layers.size(); ++i) {
      expect_readable(*layers[i], contents[i]);
      EXPECT_LE(registry_->open_files(), 3u);
    }
  layers.clear();
  EXPECT_EQ(registry_->open_files(), 0u);
}

TEST_F(layer_files_test, many_threads_read_while_files_are_closed_under_them) {
  make(1 << 18, 2);
  std::vector<sample_versions> contents;
  std::vector<layer_file_info> infos;
  for (uint64_t number = 1; number <= 6; ++number) {
    contents.push_back(random_versions(number, 30, after, last));
    infos.push_back(write(number, contents.back()));
  }
  std::atomic<int> wrong{0};
  const auto work = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 2000; ++i) {
      const size_t which = random() % infos.size();
      const auto layer = registry_->find(infos[which]);
      const auto wanted = std::next(contents[which].begin(), random() % contents[which].size());
      key_history found;
      if (!layer->collect(wanted->first, {}, lsn::max(), found) ||
          found.newest != wanted->second.begin()->first)
        ++wrong;
    }
  };
  std::thread one(work, 1), two(work, 2), three(work, 3);
  one.join(), two.join(), three.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(registry_->cache().size_bytes(), size_t{1} << 18);
}

TEST_F(layer_files_test, a_sweep_sees_what_is_held_and_what_is_asked_for_meanwhile) {
  make(1 << 20, 10);
  const auto all = random_versions(1, 10, after, last);
  std::vector<layer_file_info> infos;
  for (uint64_t number = 1; number <= 4; ++number) infos.push_back(write(number, all));
  auto held = registry_->find(infos[0]);
  registry_->find(infos[1]);
  registry_->begin_sweep();
  held.reset();
  registry_->find(infos[2]);
  auto cursor = registry_->cursor(infos[3], key{}, last_key, lsn::max());
  ASSERT_TRUE(cursor);
  EXPECT_EQ(registry_->end_sweep(),
            (std::set<layer_name>{infos[0].name, infos[2].name, infos[3].name}));
  registry_->begin_sweep();
  EXPECT_EQ(registry_->end_sweep(), std::set<layer_name>{infos[3].name});
  EXPECT_TRUE(read_all(**cursor).value() == all);
}

TEST_F(layer_files_test, splits_a_file_at_keys_into_pieces_of_about_a_size) {
  make(1 << 20, 10);
  const auto all = random_versions(1, 3000, after, last);
  const auto info = write(1, all);
  for (const uint64_t piece : {200'000, 1'000'000, 1'000'000'000}) {
    const auto keys = registry_->split(info, key{}, last_key, piece).value();
    EXPECT_TRUE(std::ranges::is_sorted(keys));
    EXPECT_GE(keys.size(), info.size_bytes / piece / 2);
    EXPECT_LE(keys.size(), info.size_bytes / piece);
    for (const key& k : keys) EXPECT_TRUE(all.contains(k));
  }
  const key from = std::next(all.begin(), 100)->first;
  const key to = std::next(all.begin(), 300)->first;
  const auto part = registry_->split(info, from, to, 10'000);
  ASSERT_TRUE(part);
  for (const key& k : *part) {
    EXPECT_GT(k, from);
    EXPECT_LE(k, to);
  }
}

TEST_F(layer_files_test, a_file_that_is_not_there_or_another_one_is_an_error_that_names_it) {
  make(1 << 20, 10);
  const auto all = random_versions(1, 10, after, last);
  auto info = write(1, all);
  key_history found;
  const auto refused = [&] {
    return registry_->find(info)->collect(all.begin()->first, {}, lsn::max(), found).error();
  };
  info.size_bytes += 1;
  EXPECT_EQ(refused().code, errc::corrupt);
  EXPECT_NE(refused().message.find("00000001.delta"), std::string::npos);
  info.size_bytes -= 1;
  ASSERT_TRUE(files_.remove(registry_->path_of(info.name)));
  EXPECT_EQ(refused().code, errc::not_found);
  EXPECT_NE(refused().message.find("00000001.delta"), std::string::npos);
  EXPECT_EQ(registry_->cursor(info, key{}, last_key, last).error().code, errc::not_found);
}

}  // namespace
}  // namespace zenith::layers
