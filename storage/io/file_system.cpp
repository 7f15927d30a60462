// What any file system can do by means of its simpler operations.
#include "storage/io/file_system.hpp"

namespace zenith {

result<void> file_system::sync_tree(const path& directory) {
  ZENITH_TRY_ASSIGN(const auto entries, list(directory));
  for (const directory_entry& entry : entries) {
    if (entry.is_directory) {
      ZENITH_TRY(sync_tree(directory / entry.name));
      continue;
    }
    ZENITH_TRY_ASSIGN(const auto opened, open(directory / entry.name, open_mode::write));
    ZENITH_TRY(opened->sync());
  }
  return sync_directory(directory);
}

}  // namespace zenith
