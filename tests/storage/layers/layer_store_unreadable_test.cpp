// layer_store with files that cannot be read: it goes on, and serves all that does not need them.
#include "tests/storage/layers/stored_history.hpp"

namespace zenith::layers::layer_store_tests {
namespace {

class layer_store_with_damage : public layer_store_test {
 protected:
  /// Puts so many values of some of the keys, and writes and merges as a timeline does.
  void go_on(int count) {
    for (int i = 0; i < count; ++i) {
      root_.put_some(random_, 1);
      if (!root_.store().is_full()) continue;
      root_.store().freeze(root_.here());
      root_.write_all();
      root_.merge_all();
      ASSERT_FALSE(root_.store().is_behind()) << "after " << i;
      ASSERT_LE(root_.store().map().levels()[0].size(), 4 * tiny_limits().level0_max);
    }
  }
  /// Changes a byte in the middle of a file; gives what it was before.
  bytes damage(const path& file) {
    const auto opened = must(files_.open(file, open_mode::write));
    bytes before(must(opened->size_bytes()));
    must(opened->read(0, before));
    const uint64_t middle = sizeof(block_file_header) + 20;
    must(opened->write(middle, bytes{~before[middle]}));
    return before;
  }
  void mend(const path& file, const bytes& contents) {
    must(must(files_.open(file, open_mode::create))->write(0, contents));
  }
  /// Every key now, and the same with errors that name the file counted: no state is another one.
  int wrong_now(const path& file) {
    const view seen(root_.store().layers(root_.now()), base_at, root_.now());
    int refused = 0;
    for (uint32_t i = 0; i < 50; ++i) {
      const auto found = seen.value(key::two_phase(i), root_.now());
      if (!found) {
        EXPECT_NE(found.error().message.find(file.filename().string()), std::string::npos)
            << found.error().message;
        ++refused;
      } else {
        EXPECT_EQ(*found, last_put(i)) << i;
      }
    }
    return refused;
  }
  std::optional<bytes> last_put(uint32_t i) { return root_.newest(key::two_phase(i)); }
};

TEST_F(layer_store_with_damage, in_its_base_image_goes_on) {
  const path base = root_.folder() / "base.image";
  const bytes whole = damage(base);
  root_.open();
  ASSERT_NO_FATAL_FAILURE(go_on(5000));
  EXPECT_NE(root_.store().unreadable().problem().find("base.image"), std::string::npos)
      << root_.store().unreadable().problem();
  EXPECT_EQ(wrong_now(base), 0) << "all keys have newer versions";
  mend(base, whole);
  root_.open();
  EXPECT_EQ(root_.store().unreadable().problem(), "");
  ASSERT_NO_FATAL_FAILURE(go_on(500));
  EXPECT_EQ(root_.store().unreadable().problem(), "");
  root_.expect_right();
}

TEST_F(layer_store_with_damage, in_level_0_goes_on) {
  root_.open();
  root_.put_some(random_, 20);
  root_.store().freeze(root_.here());
  root_.write_all();
  ASSERT_EQ(root_.store().map().levels()[0].size(), 1u);
  const path file =
      root_.folder() / file_name_of(root_.store().map().levels()[0].front().file.name);
  const bytes whole = damage(file);
  root_.open();
  ASSERT_NO_FATAL_FAILURE(go_on(5000));
  EXPECT_NE(root_.store().unreadable().problem().find(file.filename().string()), std::string::npos);
  EXPECT_EQ(wrong_now(file), 0);
  mend(file, whole);
  root_.open();
  ASSERT_NO_FATAL_FAILURE(go_on(500));
  EXPECT_EQ(root_.store().unreadable().problem(), "");
  root_.expect_right();
}

TEST_F(layer_store_with_damage, that_is_a_missing_file_goes_on) {
  root_.open();
  ASSERT_NO_FATAL_FAILURE(go_on(600));
  root_.close();
  root_.open();
  for (unsigned level = 0; level < layer_map::level_count; ++level) {
    const layer_level& slices = root_.store().map().levels()[level];
    if (slices.empty()) continue;
    const path file = root_.folder() / file_name_of(slices.front().file.name);
    auto opened = must(files_.open(file, open_mode::read));
    bytes whole(must(opened->size_bytes()));
    must(opened->read(0, whole));
    must(files_.remove(file));
    root_.open();
    ASSERT_NO_FATAL_FAILURE(go_on(2000));
    EXPECT_EQ(wrong_now(file), 0);
    mend(file, whole);
    root_.open();
    root_.expect_right();
  }
}

TEST_F(layer_store_with_damage, answers_with_it_what_needs_it_and_nothing_else) {
  root_.open();
  root_.put_some(random_, 3);
  const lsn put = root_.now();
  root_.store().freeze(root_.here());
  root_.write_all();
  const path file = root_.folder() / "00000001.delta";
  damage(file);
  root_.open();
  for (int i = 0; i < 1000; ++i) root_.put(key::two_phase(60));
  ASSERT_NO_FATAL_FAILURE(root_.store().freeze(root_.here()));
  root_.write_all();
  root_.merge_all();
  // Who has no version in it needs nothing of it, but for its filters' doubt.
  EXPECT_GE(wrong_now(file), 1);
  EXPECT_LT(wrong_now(file), 50);
  const view seen(root_.store().layers(put), base_at, put);
  EXPECT_TRUE(seen.value(key::two_phase(60), put));
}

}  // namespace
}  // namespace zenith::layers::layer_store_tests
