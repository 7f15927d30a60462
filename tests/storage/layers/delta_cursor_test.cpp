// A delta layer's cursor: which versions it gives, and how much of the file it reads for them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "storage/layers/delta_layer.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::layers {
namespace {

const path file_name = "/l/00000001.delta";
constexpr lsn after{0x1000};

/// A file that adds up the bytes that are read of it.
class counted_file final : public file {
 public:
  counted_file(std::unique_ptr<file> of, uint64_t& bytes_read)
      : of_(std::move(of)), bytes_read_(bytes_read) {}
  result<void> read(uint64_t offset, byte_span into) const override {
    bytes_read_ += into.size();
    return of_->read(offset, into);
  }
  result<void> write(uint64_t offset, byte_view data) override { return of_->write(offset, data); }
  result<void> sync() override { return of_->sync(); }
  result<uint64_t> size_bytes() const override { return of_->size_bytes(); }
  result<void> resize(uint64_t size) override { return of_->resize(size); }

 private:
  std::unique_ptr<file> of_;
  uint64_t& bytes_read_;
};

class counted_files final : public file_system {
 public:
  result<std::unique_ptr<file>> open(const path& name, open_mode mode) override {
    ZENITH_TRY_ASSIGN(auto opened, of_.open(name, mode));
    return std::make_unique<counted_file>(std::move(opened), bytes_read);
  }
  result<bool> exists(const path& name) override { return of_.exists(name); }
  result<void> create_directories(const path& name) override {
    return of_.create_directories(name);
  }
  result<std::vector<directory_entry>> list(const path& name) override { return of_.list(name); }
  result<void> rename(const path& from, const path& to) override { return of_.rename(from, to); }
  result<void> remove(const path& name) override { return of_.remove(name); }
  result<void> remove_all(const path& name) override { return of_.remove_all(name); }
  result<void> sync_directory(const path& name) override { return of_.sync_directory(name); }

  uint64_t bytes_read = 0;

 private:
  testing::memory_file_system of_;
};

/// A file in which key i has versions[i] versions at 8, 16, 24 ... after the start.
class delta_cursor_test : public ::testing::Test {
 protected:
  static key key_of(uint32_t i) { return key::two_phase(i); }
  static lsn lsn_of(uint64_t version) { return after + 8 * version; }

  void write(std::vector<uint64_t> versions, size_t value_bytes, const block_file_sizes& sizes) {
    versions_ = std::move(versions);
    const lsn last = lsn_of(std::ranges::max(versions_));
    auto out = delta_writer::create(files_, file_name, {{}, 1, layer_kind::delta}, after, last,
                                    block_file_writer::lz4_level, sizes);
    ASSERT_TRUE(out) << out.error().message;
    std::mt19937 random(1);
    bytes value(value_bytes);
    for (uint32_t k = 0; k < versions_.size(); ++k)
      for (uint64_t v = versions_[k]; v > 0; --v) {
        for (std::byte& one : value) one = static_cast<std::byte>(random());
        ASSERT_TRUE(out->add(
            {.k = key_of(k), .at = lsn_of(v), .kind = version_kind::value, .data = value}));
      }
    ASSERT_TRUE(out->finish());
    layer_ =
        delta_layer::open(files_, file_name, cache_, block_file_reader::new_cache_file()).value();
  }
  void expect_right(uint32_t from, uint32_t to, uint64_t until) {
    const auto cursor = layer_->cursor(key_of(from), key_of(to), lsn_of(until));
    version_entry v;
    for (uint32_t k = from; k <= to; ++k)
      for (uint64_t version = std::min(until, versions_[k]); version > 0; --version) {
        const auto more = cursor->next(v);
        ASSERT_TRUE(more && *more) << k << " " << version;
        ASSERT_EQ(v.k, key_of(k));
        ASSERT_EQ(v.at, lsn_of(version));
      }
    const auto more = cursor->next(v);
    ASSERT_TRUE(more && !*more);
  }

  counted_files files_;
  block_cache cache_{size_t{1} << 20};
  std::vector<uint64_t> versions_;
  std::shared_ptr<const delta_layer> layer_;
};

TEST_F(delta_cursor_test, gives_the_same_wherever_blocks_end) {
  for (const size_t block_bytes : {60u, 100u, 333u, 4096u}) {
    SCOPED_TRACE(block_bytes);
    ASSERT_NO_FATAL_FAILURE(write({3, 0, 1, 40, 8, 9, 10, 11, 0, 100, 2}, 20, {block_bytes, 200}));
    for (uint64_t until = 0; until <= 101; ++until) {
      ASSERT_NO_FATAL_FAILURE(expect_right(0, 10, until)) << until;
      ASSERT_NO_FATAL_FAILURE(expect_right(3, 3, until)) << until;
      ASSERT_NO_FATAL_FAILURE(expect_right(8, 9, until)) << until;
      ASSERT_NO_FATAL_FAILURE(expect_right(1, 1, until)) << until;
    }
    ASSERT_TRUE(files_.remove(file_name));
  }
}

TEST_F(delta_cursor_test, of_old_versions_reads_nothing_of_the_newer_ones) {
  ASSERT_NO_FATAL_FAILURE(write({2, 40'000, 40'000, 2}, 200, {}));
  const uint64_t size = layer_->file().size_bytes();
  ASSERT_GT(size, 16'000'000u);
  const auto bytes_for = [&](uint32_t from, uint32_t to, uint64_t until) {
    const uint64_t before = files_.bytes_read;
    expect_right(from, to, until);
    return files_.bytes_read - before;
  };
  constexpr uint64_t ahead = uint64_t{512} << 10;  // what a cursor reads at once
  constexpr uint64_t index = 100'000;
  EXPECT_LE(bytes_for(1, 1, 100), ahead + index);
  EXPECT_LE(bytes_for(1, 1, 20'000), size / 4 + ahead + index);
  // In the middle of a range as well.
  EXPECT_LE(bytes_for(0, 3, 100), 4 * ahead + index);
}

}  // namespace
}  // namespace zenith::layers
