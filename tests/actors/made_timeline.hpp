// A root timeline made by hand in files in memory, and the WAL that follows its base.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/repository/timeline_store.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::actors {

/// Its base ends with one record, and holds one value. All of its WAL fits into one page, so that a
/// record's bytes are contiguous; the records do nothing (XLOG_NOOP).
class made_timeline {
 public:
  static constexpr uint32_t segment_size_bytes = 1 << 20;

  made_timeline() {
    metadata_.id.value.fill(0xAB);
    metadata_.system = system_identifier{77};
    metadata_.segment_size_bytes = segment_size_bytes;
    metadata_.pg_timelines = {{pg_timeline{1}, lsn{1}}};
    const lsn segment{segment_size_bytes};
    metadata_.start_previous_record = segment + pg::long_page_header_size_bytes;
    bytes wal =
        pg::encode_page_header(segment, pg_timeline{1}, 0, metadata_.system, segment_size_bytes);
    const bytes record = next_record(metadata_.start_previous_record, lsn{});
    wal.insert(wal.end(), record.begin(), record.end());
    metadata_.start = segment + wal.size();
    wal.resize(segment_size_bytes);
    must(create_directories_durably(files, directory / "layers"));
    must(create_directories_durably(files, directory / "wal"));
    must(write_file_durably(
        files, directory / "wal" / pg::segment_file_name(pg_timeline{1}, 1, segment_size_bytes),
        wal));
    auto image = must(layers::image_writer::create(files, base_image(), metadata_.start));
    must(image.add(key::next_oid(), bytes(4)));
    must(image.finish());
  }

  /// The WAL of so many more records; end() is its end then.
  bytes grow(int records) {
    bytes wal;
    for (int i = 0; i < records; ++i) {
      const bytes record = next_record(end(), last_record());
      wal.insert(wal.end(), record.begin(), record.end());
    }
    return wal;
  }
  /// The same of one record with so many bytes of data.
  bytes grow_by(size_t data_bytes) { return next_record(end(), last_record(), data_bytes); }
  /// The same of records that change a value (XLOG_NEXTOID), one version each.
  bytes change(int records) {
    constexpr uint8_t next_oid = 0x30;
    bytes wal;
    for (int i = 0; i < records; ++i) {
      bytes value(sizeof(uint32_t));
      newest_value_ = static_cast<uint32_t>(20000 + ends_.size());
      store(value.data(), newest_value_);
      bytes record = testing::record_builder(pg::resource_manager::xlog, next_oid, 0, last_record())
                         .main_data(value)
                         .finish();
      record.resize((record.size() + 7) / 8 * 8);
      starts_.push_back(end());
      ends_.push_back(end() + record.size());
      wal.insert(wal.end(), record.begin(), record.end());
    }
    return wal;
  }
  /// Of key::next_oid(), since change().
  uint32_t newest_value() const { return newest_value_; }
  /// The WAL of a record that ends its segment early (XLOG_SWITCH), without the rest of that.
  bytes switch_segment() {
    constexpr uint8_t switches = 0x40;
    const bytes record =
        testing::record_builder(pg::resource_manager::xlog, switches, 0, last_record()).finish();
    starts_.push_back(end());
    ends_.push_back(lsn{(end().value() / segment_size_bytes + 1) * segment_size_bytes});
    return record;
  }
  lsn start() const { return metadata_.start; }
  lsn end() const { return ends_.back(); }

  path base_image() const { return directory / "layers" / repository::base_image_name; }
  repository::timeline_store::parameters parameters() {
    repository::timeline_store::parameters how;
    how.files = &files;
    how.directory = directory;
    how.metadata = metadata_;
    return how;
  }
  /// Of a child that leaves at end().
  repository::timeline_store::parameters child_parameters() {
    repository::timeline_store::parameters how = parameters();
    how.metadata.id.value.fill(0xCD);
    how.directory = directory.parent_path() / to_string(how.metadata.id);
    how.metadata.ancestor = repository::timeline_point{metadata_.id, end()};
    how.metadata.start = end();
    how.metadata.start_previous_record = last_record();
    how.metadata.pg_timelines.push_back({pg_timeline{2}, end()});
    must(create_directories_durably(files, how.directory));
    return how;
  }

  testing::memory_file_system files;
  const path directory = path("timelines") / "abababababababababababababababab";

 private:
  template <class T>
  static T must(result<T> done) {
    if (!done) throw std::runtime_error(done.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*done);
  }
  lsn last_record() const { return starts_.back(); }
  // Padded to where the record after it begins.
  bytes next_record(lsn start, lsn previous) {
    return next_record(start, previous, ends_.size() % 40);
  }
  bytes next_record(lsn start, lsn previous, size_t data_bytes) {
    constexpr uint8_t noop = 0x20;
    bytes record = testing::record_builder(pg::resource_manager::xlog, noop, 0, previous)
                       .main_data(bytes(data_bytes))
                       .finish();
    record.resize((record.size() + 7) / 8 * 8);
    starts_.push_back(start);
    ends_.push_back(start + record.size());
    return record;
  }

  repository::timeline_metadata metadata_;
  std::vector<lsn> starts_;
  std::vector<lsn> ends_;
  uint32_t newest_value_ = 0;
};

}  // namespace zenith::actors
