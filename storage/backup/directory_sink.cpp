// A data directory on disk.
#include "storage/backup/directory_sink.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "storage/base/assert.hpp"

namespace zenith::backup {

namespace fs = std::filesystem;

directory_sink::directory_sink(file_system& files, path target, directory_sink_options options)
    : files_(files), target_(std::move(target)), options_(std::move(options)) {}

result<std::unique_ptr<directory_sink>> directory_sink::create(file_system& files, path target,
                                                               directory_sink_options options) {
  ZENITH_TRY_ASSIGN(const bool exists, files.exists(target));
  if (exists) {
    ZENITH_TRY_ASSIGN(const auto entries, files.list(target));
    if (!entries.empty())
      return fail(errc::already_exists,
                  fmt::format("{} exists and is not empty; choose a new directory, or empty it",
                              target.string()));
  }
  ZENITH_TRY(files.create_directories(target));
  // PostgreSQL refuses a data directory that others can enter (miscinit.c, checkDataDir).
  std::error_code failed;
  fs::permissions(target, fs::perms::owner_all, failed);
  if (failed)
    return fail(errc::io, fmt::format("cannot set the mode of {} to 0700: {}", target.string(),
                                      failed.message()));
  std::unique_ptr<directory_sink> sink{
      new directory_sink{files, std::move(target), std::move(options)}};
  return sink;
}

result<void> directory_sink::add_directory(std::string_view name) {
  ZENITH_TRY(check_entry_name(name));
  const path directory = target_ / name;
  ZENITH_TRY(files_.create_directories(directory));
  return {};
}

result<void> directory_sink::add_tablespace(uint32_t oid) {
  const std::string name = fmt::format("pg_tblspc/{}", oid);
  if (!options_.tablespaces) return add_directory(name);
  std::error_code failed;
  const path folder = fs::absolute(*options_.tablespaces, failed) / std::to_string(oid);
  if (failed)
    return fail(errc::io, fmt::format("cannot find the absolute path of {}: {}",
                                      options_.tablespaces->string(), failed.message()));
  ZENITH_TRY_ASSIGN(const bool exists, files_.exists(folder));
  if (exists) {
    ZENITH_TRY_ASSIGN(const auto entries, files_.list(folder));
    if (!entries.empty())
      return fail(errc::already_exists,
                  fmt::format("{}, the place for tablespace {}, is not empty; remove what is there",
                              folder.string(), oid));
  }
  ZENITH_TRY(files_.create_directories(folder));
  fs::create_directory_symlink(folder, target_ / name, failed);
  if (failed)
    return fail(errc::io,
                fmt::format("cannot make the symbolic link {} to {}: {}", (target_ / name).string(),
                            folder.string(), failed.message()));
  return {};
}

result<void> directory_sink::begin_file(std::string_view name, uint32_t mode, uint64_t size_bytes) {
  ZENITH_ASSERT(file_ == nullptr);
  ZENITH_TRY(check_entry_name(name));
  file_name_ = target_ / name;
  ZENITH_TRY_ASSIGN(file_, files_.open(file_name_, open_mode::create_new));
  file_mode_ = mode;
  file_size_bytes_ = size_bytes;
  position_ = 0;
  return {};
}

result<void> directory_sink::write(byte_view data) {
  ZENITH_ASSERT(file_ != nullptr && data.size() <= file_size_bytes_ - position_);
  ZENITH_TRY(file_->write(position_, data));
  position_ += data.size();
  return {};
}

result<void> directory_sink::write_zeros(uint64_t size_bytes) {
  // Left as a hole; end_file sets the size where the file ends in one.
  ZENITH_ASSERT(file_ != nullptr && size_bytes <= file_size_bytes_ - position_);
  position_ += size_bytes;
  return {};
}

result<void> directory_sink::end_file() {
  ZENITH_ASSERT(file_ != nullptr && position_ == file_size_bytes_);
  ZENITH_TRY(file_->resize(file_size_bytes_));
  file_.reset();
  if (file_mode_ == owner_file_mode) return {};
  std::error_code failed;
  fs::permissions(file_name_, static_cast<fs::perms>(file_mode_), failed);
  if (failed)
    return fail(errc::io, fmt::format("cannot set the mode of {} to {:04o}: {}",
                                      file_name_.string(), file_mode_, failed.message()));
  return {};
}

result<void> directory_sink::finish() {
  if (options_.keep == directory_sink_options::durability::none) return {};
  if (options_.tablespaces) ZENITH_TRY(files_.sync_tree(*options_.tablespaces));
  ZENITH_TRY(files_.sync_tree(target_));
  return files_.sync_directory(target_.parent_path().empty() ? path{"."} : target_.parent_path());
}

}  // namespace zenith::backup
