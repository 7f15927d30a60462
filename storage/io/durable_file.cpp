// Replacing files by write, sync, rename and sync of the directory.
#include "storage/io/durable_file.hpp"

#include <fmt/format.h>

namespace zenith {
namespace {

constexpr std::string_view trailer_start = "\n# crc32c ";

// The directory that holds a name; a name without one lies in the current directory.
path directory_of(const path& name) {
  const path parent = name.parent_path();
  return parent.empty() ? path(".") : parent;
}

// A directory above the one that was asked for. One that was there is synced, too, where we may:
// an earlier attempt can have made it. The directories above it can be other people's.
result<void> make_parent(file_system& fs, const path& directory) {
  ZENITH_TRY_ASSIGN(const bool there, fs.exists(directory));
  if (!there) return create_directories_durably(fs, directory);
  (void)fs.sync_directory(directory_of(directory));
  return {};
}

std::string trailer_of(std::string_view text) {
  return fmt::format("{}{:08X}\n", trailer_start, crc32c(as_bytes(text)));
}

}  // namespace

result<bytes> read_file(file_system& fs, const path& name, uint64_t size_bytes_max) {
  ZENITH_TRY_ASSIGN(const auto opened, fs.open(name, open_mode::read));
  ZENITH_TRY_ASSIGN(const uint64_t size, opened->size_bytes());
  if (size > size_bytes_max)
    return fail(errc::limit, fmt::format("{} has {} bytes; at most {} are expected", name.string(),
                                         size, size_bytes_max));
  bytes data(size);
  ZENITH_TRY(opened->read(0, data));
  return data;
}

result<void> write_file_durably(file_system& fs, const path& name, byte_view data) {
  path temporary = name;
  temporary += "~";
  {
    // What an interrupted write left is overwritten.
    ZENITH_TRY_ASSIGN(const auto opened, fs.open(temporary, open_mode::create));
    ZENITH_TRY(opened->resize(0));
    ZENITH_TRY(opened->write(0, data));
    ZENITH_TRY(opened->sync());
  }
  ZENITH_TRY(fs.rename(temporary, name));
  return fs.sync_directory(directory_of(name));
}

result<void> remove_file_durably(file_system& fs, const path& name) {
  ZENITH_TRY(fs.remove(name));
  return fs.sync_directory(directory_of(name));
}

result<void> create_directories_durably(file_system& fs, const path& name) {
  const auto there = fs.exists(name);
  if (!there) return tl::unexpected<error>(there.error());
  const path parent = directory_of(name);
  if (!*there) {
    // One after the other, so that an interrupted attempt leaves at most the last one in doubt.
    if (parent != name) ZENITH_TRY(make_parent(fs, parent));
    ZENITH_TRY(fs.create_directories(name));
  }
  return fs.sync_directory(parent);
}

result<void> write_metadata_file(file_system& fs, const path& name, std::string_view text) {
  const std::string whole = std::string(text) + trailer_of(text);
  return write_file_durably(fs, name, as_bytes(whole));
}

result<std::string> read_metadata_file(file_system& fs, const path& name) {
  ZENITH_TRY_ASSIGN(const bytes data, read_file(fs, name, uint64_t{1} << 30));
  const std::string_view whole = as_text(data);
  if (whole.size() < metadata_trailer_size_bytes)
    return fail(errc::corrupt,
                fmt::format("{} is damaged: it has {} bytes, its trailer alone {}", name.string(),
                            whole.size(), metadata_trailer_size_bytes));
  const std::string_view text = whole.substr(0, whole.size() - metadata_trailer_size_bytes);
  const std::string_view found = whole.substr(text.size());
  const std::string expected = trailer_of(text);
  if (found == expected) return std::string(text);
  if (!found.starts_with(trailer_start) || !found.ends_with('\n'))
    return fail(errc::corrupt, fmt::format("{} is damaged: expected the trailer \"# crc32c {}\" "
                                           "at offset {}, found none",
                                           name.string(), expected.substr(10, 8), text.size()));
  return fail(errc::corrupt,
              fmt::format("{} is damaged: expected CRC-32C {} for its {} bytes of text, found {}",
                          name.string(), expected.substr(10, 8), text.size(), found.substr(10, 8)));
}

}  // namespace zenith
