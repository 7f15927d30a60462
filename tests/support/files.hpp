// Whole files for tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "storage/base/bytes.hpp"

namespace zenith::testing {

/// All bytes of a file; throws where it cannot be read.
inline bytes read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const byte_view view = as_bytes(text);
  return {view.begin(), view.end()};
}

}  // namespace zenith::testing
