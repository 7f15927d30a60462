// durable_file: small files that are replaced as a whole, durably, and checked when they are read.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith {

/// The whole file. `size_bytes_max`: a larger one is refused (error limit).
/// Errors: not_found, io, corrupt (it shrinks meanwhile).
result<bytes> read_file(file_system& fs, const path& name,
                        uint64_t size_bytes_max = uint64_t{1} << 32);

/// Replaces or makes the file: after it returns, and after a power cut at any time later, the file
/// holds `data`; after a power cut before that, the old contents or `data`. Writes a file of the
/// same name with "~" after it first, which no branch, tag or compute can be called; two threads
/// may not write one name at once.
result<void> write_file_durably(file_system& fs, const path& name, byte_view data);

/// Removes a file so that it stays removed. Error: not_found.
result<void> remove_file_durably(file_system& fs, const path& name);

/// Makes a directory with its parents, each of them durable; also where it exists already.
result<void> create_directories_durably(file_system& fs, const path& name);

/// A metadata file: a text (JSON, for most), then a trailer that tells damage. 19 bytes, frozen:
///    0  "\n# crc32c "
///   10  CRC-32C of the text, 8 upper-case hex digits
///   18  "\n"
inline constexpr size_t metadata_trailer_size_bytes = 19;

/// Writes it as write_file_durably does.
result<void> write_metadata_file(file_system& fs, const path& name, std::string_view text);

/// The text. Errors: not_found, io, and corrupt where the trailer is missing or its CRC is not the
/// text's (names the file, the CRC expected and the one found).
result<std::string> read_metadata_file(file_system& fs, const path& name);

}  // namespace zenith
