// Names of layer files.
#include "storage/layers/layer_file.hpp"

#include <fmt/format.h>

#include <charconv>

namespace zenith::layers {

std::string file_name_of(const layer_name& name) {
  if (name.number == 0) return "base.image";
  return fmt::format("{:08x}.{}", name.number, name.kind == layer_kind::delta ? "delta" : "image");
}

std::optional<layer_name> parse_file_name(const timeline_id& timeline, std::string_view file_name) {
  layer_name name{timeline, 0, layer_kind::image};
  if (file_name == file_name_of(name)) return name;
  const char* const end = file_name.data() + file_name.size();
  const auto [stop, failure] = std::from_chars(file_name.data(), end, name.number, 16);
  if (failure != std::errc{}) return std::nullopt;
  for (const layer_kind kind : {layer_kind::delta, layer_kind::image}) {
    name.kind = kind;
    if (file_name == file_name_of(name)) return name;
  }
  return std::nullopt;
}

}  // namespace zenith::layers
