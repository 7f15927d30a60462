// configuration_files: the files that are kept beside the data, and their stored form.
#pragma once

#include <array>
#include <string>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/result.hpp"

namespace zenith::backup {

/// Those of a data directory that are kept, by the number in their key (key_kind, a). Frozen.
inline constexpr std::array configuration_file_names{"postgresql.conf", "pg_hba.conf",
                                                     "pg_ident.conf", "postgresql.auto.conf"};
/// What one of them may be long.
inline constexpr uint64_t configuration_file_bytes_max = 16 << 20;

struct configuration_file {
  std::string name;
  std::string contents;
};

inline key configuration_key(uint32_t number) { return {key_kind::configuration_file, number}; }

/// The key's value: name, NUL, contents.
bytes encode(const configuration_file& file);
/// Error: corrupt.
result<configuration_file> decode_configuration_file(byte_view stored);

}  // namespace zenith::backup
