// The stored form of configuration files.
#include "storage/backup/configuration_files.hpp"

#include <string_view>

namespace zenith::backup {

bytes encode(const configuration_file& file) {
  const std::string joined = file.name + '\0' + file.contents;
  const byte_view view = as_bytes(joined);
  return {view.begin(), view.end()};
}

result<configuration_file> decode_configuration_file(byte_view stored) {
  const std::string_view text = as_text(stored);
  const size_t end = text.find('\0');
  if (end == text.npos || end == 0)
    return fail(errc::corrupt, "a stored configuration file has no name");
  return configuration_file{std::string{text.substr(0, end)}, std::string{text.substr(end + 1)}};
}

}  // namespace zenith::backup
