// A map of texts as JSON.
#include "config/settings_json.hpp"

#include <nlohmann/json.hpp>

namespace zenith::config {

std::string texts_to_json(const std::map<std::string, std::string>& texts) {
  return nlohmann::json(texts).dump(2);
}

result<std::map<std::string, std::string>> texts_from_json(std::string_view json_text) {
  const auto object = nlohmann::json::parse(json_text, nullptr, false);
  if (!object.is_object()) return fail(errc::corrupt, "the settings are not a JSON object");
  std::map<std::string, std::string> texts;
  for (const auto& [key, v] : object.items()) {
    if (!v.is_string()) return fail(errc::corrupt, "setting '" + key + "' is not a text");
    texts.emplace(key, v.get<std::string>());
  }
  return texts;
}

}  // namespace zenith::config
