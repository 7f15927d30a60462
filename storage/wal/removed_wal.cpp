// The file that tells what was removed from what is lost.
#include "storage/wal/removed_wal.hpp"

#include <fmt/format.h>

#include "storage/io/durable_file.hpp"
#include "storage/io/object_reader.hpp"

namespace zenith::wal {

result<lsn> read_removed(file_system& files, const path& wal_directory) {
  const path name = wal_directory / removed_file_name;
  const auto text = read_metadata_file(files, name);
  if (!text && text.error().code == errc::not_found) return lsn{};
  if (!text) return tl::unexpected<error>(text.error());
  object_reader in(std::string_view(*text), name.string());
  return in.finish(in.position("removed_until"));
}

result<void> write_removed(file_system& files, const path& wal_directory, lsn until) {
  const nlohmann::json all = {{"removed_until", to_string(until)}};
  return write_metadata_file(files, wal_directory / removed_file_name, all.dump() + "\n");
}

tl::unexpected<error> was_removed(const path& wal_directory, lsn at, lsn until) {
  return fail(errc::out_of_range,
              fmt::format("the WAL at {} is not kept any more: {} begins at {}", to_string(at),
                          wal_directory.string(), to_string(until)));
}

}  // namespace zenith::wal
