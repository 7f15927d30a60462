// A data directory as a tar stream, by libarchive.
#include "storage/backup/tar_sink.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include "storage/base/assert.hpp"

namespace zenith::backup {

namespace {
// As much as is gathered before it is handed on; a multiple of tar's 512-byte blocks.
constexpr int buffer_bytes = 256 * 1024;
}  // namespace

tar_sink::tar_sink(output out, timestamp time)
    : out_(std::move(out)),
      time_(time),
      archive_(archive_write_new()),
      entry_(archive_entry_new()) {
  ZENITH_ASSERT(archive_ != nullptr && entry_ != nullptr);
  archive_write_set_format_pax_restricted(archive_);
  archive_write_set_bytes_per_block(archive_, buffer_bytes);
  // The last piece is not filled up to a whole buffer, only to tar's own end.
  archive_write_set_bytes_in_last_block(archive_, 1);
  archive_write_open(archive_, this, nullptr, &tar_sink::on_write, nullptr);
}

tar_sink::~tar_sink() {
  // Freeing completes the archive, which nobody is to get once something failed or is missing.
  out_ = nullptr;
  archive_write_free(archive_);
  archive_entry_free(entry_);
}

// libarchive never hears of an error of out_'s: it would give up, and leak its buffers. Each of our
// functions asks for it after a call instead.
ssize_t tar_sink::on_write(archive*, void* self, const void* data, size_t size_bytes) {
  auto& sink = *static_cast<tar_sink*>(self);
  if (sink.out_ && sink.out_result_)
    sink.out_result_ = sink.out_({static_cast<const std::byte*>(data), size_bytes});
  return static_cast<ssize_t>(size_bytes);
}

result<void> tar_sink::check(bool done, std::string_view what) const {
  if (!out_result_ || done) return out_result_;
  const char* reason = archive_error_string(archive_);
  return fail(errc::io, fmt::format("cannot write {} to the tar: {}", what,
                                    reason != nullptr ? reason : "unknown reason"));
}

result<void> tar_sink::write_header(std::string_view name, uint32_t type, uint32_t mode,
                                    uint64_t size_bytes) {
  ZENITH_TRY(check_entry_name(name));
  archive_entry_clear(entry_);
  archive_entry_set_pathname(entry_, std::string{name}.c_str());
  archive_entry_set_filetype(entry_, type);
  archive_entry_set_perm(entry_, mode);
  archive_entry_set_size(entry_, static_cast<int64_t>(size_bytes));
  archive_entry_set_mtime(entry_, time_.unix_us() / 1000000, 0);
  return check(archive_write_header(archive_, entry_) == ARCHIVE_OK, name);
}

result<void> tar_sink::add_directory(std::string_view name) {
  return write_header(name, AE_IFDIR, 0700, 0);
}

result<void> tar_sink::add_tablespace(uint32_t oid) {
  return add_directory(fmt::format("pg_tblspc/{}", oid));
}

result<void> tar_sink::begin_file(std::string_view name, uint32_t mode, uint64_t size_bytes) {
  ZENITH_ASSERT(file_.empty());
  ZENITH_TRY(write_header(name, AE_IFREG, mode, size_bytes));
  file_ = name;
  left_bytes_ = size_bytes;
  return {};
}

result<void> tar_sink::write(byte_view data) {
  ZENITH_ASSERT(data.size() <= left_bytes_);
  while (!data.empty()) {
    const auto written = archive_write_data(archive_, data.data(), data.size());
    ZENITH_TRY(check(written > 0, file_));
    left_bytes_ -= static_cast<uint64_t>(written);
    data = data.subspan(static_cast<size_t>(written));
  }
  return {};
}

result<void> tar_sink::end_file() {
  ZENITH_ASSERT(left_bytes_ == 0);
  ZENITH_TRY(check(archive_write_finish_entry(archive_) == ARCHIVE_OK, file_));
  file_.clear();
  return {};
}

result<void> tar_sink::finish() {
  return check(archive_write_close(archive_) == ARCHIVE_OK, "the end");
}

}  // namespace zenith::backup
