// What all sinks share: whole files, runs of zeros, and the check of names.
#include "storage/backup/backup_sink.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zenith::backup {

result<void> backup_sink::write_zeros(uint64_t size_bytes) {
  static constexpr std::array<std::byte, 64 * 1024> zeros{};
  while (size_bytes > 0) {
    const auto piece = static_cast<size_t>(std::min<uint64_t>(size_bytes, zeros.size()));
    ZENITH_TRY(write(byte_view{zeros}.first(piece)));
    size_bytes -= piece;
  }
  return {};
}

result<void> backup_sink::add_file(std::string_view name, byte_view contents) {
  ZENITH_TRY(begin_file(name, owner_file_mode, contents.size()));
  ZENITH_TRY(write(contents));
  return end_file();
}

result<void> check_entry_name(std::string_view name) {
  std::string_view rest = name;
  while (true) {
    const size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != part.npos)
      return fail(errc::corrupt,
                  fmt::format("\"{}\" cannot be the name of a file in a data directory: it must be "
                              "relative, with no empty, \".\" or \"..\" part",
                              name));
    if (slash == rest.npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace zenith::backup
