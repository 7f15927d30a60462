// settings_json: a map of texts as JSON, so that one file alone compiles the JSON library.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "storage/base/result.hpp"

namespace zenith::config {

/// {"key": "text", ...}; the texts are printable ASCII.
std::string texts_to_json(const std::map<std::string, std::string>& texts);
/// Error: corrupt, where it is not one JSON object of texts.
result<std::map<std::string, std::string>> texts_from_json(std::string_view json_text);

}  // namespace zenith::config
