// What was not understood stays unknown when it comes from layer files, and only that.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/repository/timeline_store.hpp"
#include "tests/support/golden_timelines.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::repository {
namespace {

using testing::record_builder;

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

constexpr uint32_t segment_bytes = 1 << 20;
const relation_id table{1663, 5, 16384};
const relation_id other{1663, 5, 16385};

/// A root timeline whose WAL fits into one page, so that a record's bytes are contiguous.
class unknown_states : public ::testing::Test {
 protected:
  unknown_states() {
    metadata_.id.value.fill(1);
    metadata_.system = system_identifier{77};
    metadata_.segment_size_bytes = segment_bytes;
    metadata_.pg_timelines = {{pg_timeline{1}, lsn{1}}};
    const lsn segment{segment_bytes};
    bytes wal = pg::encode_page_header(segment, pg_timeline{1}, 0, metadata_.system, segment_bytes);
    const bytes first = record_builder(pg::resource_manager::xlog, noop).finish();
    wal.insert(wal.end(), first.begin(), first.end());
    metadata_.start_previous_record = segment + pg::long_page_header_size_bytes;
    metadata_.start = segment + wal.size();
    wal.resize(segment_bytes);
    must(create_directories_durably(files_, directory_ / "layers"));
    must(create_directories_durably(files_, directory_ / "wal"));
    must(write_file_durably(
        files_, directory_ / "wal" / pg::segment_file_name(pg_timeline{1}, 1, segment_bytes), wal));
    auto image = must(layers::image_writer::create(files_, directory_ / "layers" / base_image_name,
                                                   metadata_.start));
    must(image.add(key::control(), pg::encode_control_data({})));
    must(image.add(key::next_full_xid(), bytes(8)));
    must(image.add(key::next_oid(), bytes(4)));
    must(image.add(key::next_multixact(), bytes(8)));
    must(image.finish());
    previous_ = metadata_.start_previous_record;
    open();
  }

  void open() {
    store_.reset();
    timeline_store::parameters how;
    how.files = &files_;
    how.directory = directory_;
    how.metadata = metadata_;
    how.limits = testing::tiny_layer_limits();
    registry_ =
        std::make_shared<layers::layer_files>(files_, "timelines", layers::layer_files::limits{});
    how.registry = registry_;
    store_ = must(timeline_store::open(std::move(how)));
  }
  /// Ingests a record; gives its end.
  lsn add(record_builder builder) {
    bytes record = builder.finish();
    record.resize((record.size() + 7) / 8 * 8);
    const lsn at = must(store_->begin_stream());
    must(store_->append(at, record));
    previous_ = at;
    EXPECT_EQ(store_->end(), at + record.size());
    return store_->end();
  }
  /// A full-page image of a block, all bytes of which but a hole are this letter.
  lsn add_image(const relation_id& relation, block_number block, char letter) {
    record_builder::image image;
    image.data.assign(100, static_cast<std::byte>(letter));
    image.hole_offset = 60;
    image.info = testing::image_apply | testing::image_has_hole;
    return add(record_builder(pg::resource_manager::xlog, full_page_image, 0, previous_)
                   .add({.relation = relation, .number = block, .full_page = image}));
  }
  /// Heap, LOCK, with main data that is too short.
  lsn add_bad_heap(const relation_id& relation, block_number block) {
    return add(record_builder(pg::resource_manager::heap, 0x60, 0, previous_)
                   .add({.relation = relation, .number = block, .data = bytes(4)})
                   .main_data(bytes(1)));
  }
  /// Storage, CREATE (xl_smgr_create) of a fork that does not exist.
  lsn add_bad_create(const relation_id& relation) {
    bytes data(16);
    store(data.data(), relation);
    store(data.data() + 12, uint32_t{9});
    return add(record_builder(pg::resource_manager::storage, 0x10, 0, previous_).main_data(data));
  }
  /// The letter that a page ends with, or what was said instead of it.
  std::string read(const relation_id& relation, block_number block, lsn at) const {
    page p;
    const auto done = store_->view()->read_page(relation, fork_number::main, block, at, p);
    if (!done) return done.error().message;
    return {static_cast<char>(p.data[8190])};
  }

  static constexpr uint8_t noop = 0x20;
  static constexpr uint8_t full_page_image = 0xB0;
  testing::memory_file_system files_;
  timeline_metadata metadata_;
  const path directory_ = path("timelines") / "01010101010101010101010101010101";
  lsn previous_;
  std::shared_ptr<layers::layer_files> registry_;
  std::unique_ptr<timeline_store> store_;
};

TEST_F(unknown_states, and_poisoned_pages_stay_so_in_files_through_merges_and_restarts) {
  const lsn fine = add_image(table, 3, 'a');
  const lsn fine_too = add_image(other, 1, 'b');
  const lsn bad = add_bad_heap(table, 3);
  const lsn unknown = add_bad_create(other);
  const lsn later = add_image(other, 2, 'c');
  const auto said = [&] {
    std::vector<std::string> all;
    for (const lsn at : {fine, fine_too, bad, unknown, later, store_->end()})
      for (const auto& [relation, block] : {std::pair{table, 3u}, {other, 1u}, {other, 2u}})
        all.push_back(read(relation, block, at));
    return all;
  };
  const auto expected = said();
  ASSERT_EQ(expected[0], "a");
  ASSERT_EQ(expected[4], "b");
  ASSERT_GT(expected[6].size(), 1u);   // the heap page from the bad record on
  ASSERT_GT(expected[10].size(), 1u);  // the other relation's size is not known
  must(store_->freeze());
  EXPECT_EQ(said(), expected);
  testing::settle(*store_);
  EXPECT_EQ(said(), expected);
  open();
  EXPECT_EQ(store_->layers().disk_consistent().at, later);
  EXPECT_EQ(said(), expected);
  // More layers above, which are merged with it.
  for (int i = 0; i < 6; ++i) {
    add_image(table, 5, 'x');
    testing::settle(*store_);
  }
  EXPECT_GT(store_->layers().recorded().merged_bytes, 0u);
  const auto after = said();
  EXPECT_TRUE(std::equal(after.begin(), after.end() - 3, expected.begin()));
  open();
  EXPECT_EQ(said(), after);
  const lsn again = add_image(table, 3, 'd');
  EXPECT_EQ(read(table, 3, again), "d");
  EXPECT_EQ(read(table, 3, later), expected[12]);
  EXPECT_GT(read(other, 1, again).size(), 1u);
}

TEST_F(unknown_states, are_handed_down_to_children_that_leave_after_them_only) {
  add_image(other, 1, 'b');
  const lsn before = store_->end();
  const lsn unknown = add_bad_create(other);
  add_image(table, 1, 'x');
  testing::settle(*store_);
  for (const lsn start : {before, unknown}) {
    const auto base = must(store_->base_at(start));
    const layers::view seen(base->layers.map.layers(*registry_), base->from, start);
    EXPECT_EQ(seen.relation(other, fork_number::main, start).has_value(), start == before);
  }
}

}  // namespace
}  // namespace zenith::repository
