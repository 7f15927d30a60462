// JSON values as text; the one file of the command line that compiles the JSON library.
#include "cli/json.hpp"

#include <nlohmann/json.hpp>

namespace zenith::cli {

json::json(std::string_view value)
    : text_(nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) {}

json json::object(std::initializer_list<field> fields) {
  std::string text = "{";
  for (const auto& [name, value] : fields) {
    if (text.size() > 1) text += ", ";
    text += json(name).text() + ": " + value.text();
  }
  return {as_is{}, text + "}"};
}

json json::array(const std::vector<json>& elements) {
  std::string text = "[";
  for (const json& element : elements) {
    if (text.size() > 1) text += ", ";
    text += element.text();
  }
  return {as_is{}, text + "]"};
}

json text_or_null(std::string_view text) { return text.empty() ? json(nullptr) : json(text); }

}  // namespace zenith::cli
