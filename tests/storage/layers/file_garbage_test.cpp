// Sweeps of layer files, with what happens in the midst of them.
#include "storage/layers/file_garbage.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/layers/layer_files.hpp"
#include "tests/storage/layers/map_samples.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::layers {
namespace {

layer_name name_of(uint8_t timeline, uint64_t number) {
  return {sample_timeline(timeline), number, number == 0 ? layer_kind::image : layer_kind::delta};
}

layer_slice slice_of(uint8_t timeline, uint64_t number, uint64_t after, uint64_t until) {
  layer_slice slice = sample_slice(number, 0, 100, after, until);
  slice.file.name = name_of(timeline, number);
  return slice;
}

/// A map with these slices in level 0, newest first.
layer_map map_of(std::vector<layer_slice> slices) {
  return *layer_map::make({std::move(slices)}, {});
}

/// Timelines with their folders and manifests, and a sweep in steps.
class repository {
 public:
  struct timeline {
    std::vector<layer_name> folder;
    uint64_t unsettled_from = 1;
    std::optional<layer_map> manifest;
  };
  std::map<uint8_t, timeline> timelines;
  layer_files files{disk_, "/timelines", {}};

  void begin() {
    files.begin_sweep();
    for (const auto& [number, one] : timelines) {
      swept_timeline& swept = found_[sample_timeline(number)];
      swept.unsettled_from = one.unsettled_from;
      swept.files = one.folder;
    }
  }
  /// The manifests are read, and the sweep ends.
  std::vector<layer_name> end() {
    for (const auto& [number, one] : timelines)
      if (found_.contains(sample_timeline(number)))
        found_[sample_timeline(number)].map = one.manifest;
    return *unreferenced_files(found_, files.end_sweep());
  }
  std::vector<layer_name> sweep() {
    begin();
    return end();
  }

 private:
  testing::memory_file_system disk_;
  std::map<timeline_id, swept_timeline> found_;
};

using names = std::vector<layer_name>;

/// Timeline 1 has merged files 1 and 2 into file 3.
void merge_first_two(repository& r) {
  r.timelines[1] = {
      {name_of(1, 1), name_of(1, 2), name_of(1, 3)}, 4, map_of({slice_of(1, 3, 100, 300)})};
}

TEST(garbage, is_what_no_manifest_names) {
  repository r;
  merge_first_two(r);
  EXPECT_EQ(r.sweep(), (names{name_of(1, 1), name_of(1, 2)}));
}

TEST(garbage, is_not_what_another_timelines_manifest_names) {
  repository r;
  merge_first_two(r);
  r.timelines[2] = {
      {name_of(2, 1)}, 2, map_of({slice_of(2, 1, 200, 250), slice_of(1, 1, 100, 200)})};
  EXPECT_EQ(r.sweep(), names{name_of(1, 2)});
}

TEST(garbage, is_not_a_base_image_that_no_manifest_can_name_yet) {
  repository r;
  r.timelines[1] = {{name_of(1, 0)}, 1, std::nullopt};
  EXPECT_EQ(r.sweep(), names{});
  r.timelines[1] = {{name_of(1, 0), name_of(1, 1)}, 2, map_of({slice_of(1, 1, 100, 200)})};
  EXPECT_EQ(r.sweep(), names{name_of(1, 0)});
}

TEST(garbage, is_not_what_a_job_writes_also_where_it_is_installed_meanwhile) {
  repository r;
  merge_first_two(r);
  // A write job has number 4 and goes on; a merge that took 5 is installed already.
  r.timelines[1] = {
      {name_of(1, 3), name_of(1, 4), name_of(1, 5)}, 4, map_of({slice_of(1, 5, 100, 300)})};
  EXPECT_EQ(r.sweep(), names{name_of(1, 3)});
  r.begin();
  r.timelines[1].manifest = map_of({slice_of(1, 4, 300, 400), slice_of(1, 5, 100, 300)});
  r.timelines[1].unsettled_from = 6;
  EXPECT_EQ(r.end(), names{name_of(1, 3)});
}

TEST(garbage, is_not_what_a_view_still_reads) {
  repository r;
  merge_first_two(r);
  auto layers = map_of({slice_of(1, 2, 200, 300)}).layers(r.files);
  EXPECT_EQ(r.sweep(), names{name_of(1, 1)});
  // It ends while the sweep goes on: the next one takes the file.
  r.begin();
  layers.clear();
  EXPECT_EQ(r.end(), names{name_of(1, 1)});
  EXPECT_EQ(r.sweep(), (names{name_of(1, 1), name_of(1, 2)}));
}

TEST(garbage, is_not_what_a_child_holds_in_memory_until_its_manifest_names_it) {
  repository r;
  r.timelines[1] = {{name_of(1, 1), name_of(1, 2)},
                    3,
                    map_of({slice_of(1, 2, 200, 300), slice_of(1, 1, 100, 200)})};
  std::optional<layer_map> inherited = r.timelines[1].manifest->capped(lsn{250});
  inherited->layers(r.files);
  merge_first_two(r);
  r.timelines[2] = {{}, 1, std::nullopt};
  EXPECT_EQ(r.sweep(), names{});
  // It writes its first manifest after all manifests were read, and lets go.
  r.begin();
  const names spared = r.end();
  EXPECT_EQ(spared, names{});
  r.timelines[2] = {
      {name_of(2, 1)}, 2, inherited->with_flushed({slice_of(2, 1, 250, 400).file}, {}, lsn{400})};
  inherited.reset();
  EXPECT_EQ(r.sweep(), names{});
  // Its own merge frees them.
  r.timelines[2].manifest = map_of({slice_of(2, 2, 100, 400)});
  EXPECT_EQ(r.sweep(), (names{name_of(1, 1), name_of(1, 2), name_of(2, 1)}));
}

TEST(garbage, is_not_what_comes_while_the_sweep_goes_on) {
  repository r;
  merge_first_two(r);
  r.begin();
  r.timelines[1].folder.push_back(name_of(1, 4));
  r.timelines[3] = {{name_of(3, 0)}, 1, std::nullopt};
  EXPECT_EQ(r.end(), (names{name_of(1, 1), name_of(1, 2)}));
}

TEST(garbage, in_another_timelines_folder_is_refused) {
  std::map<timeline_id, swept_timeline> found;
  found[sample_timeline(1)].files = {name_of(2, 1)};
  EXPECT_EQ(unreferenced_files(found, {}).error().code, errc::invalid_argument);
}

}  // namespace
}  // namespace zenith::layers
