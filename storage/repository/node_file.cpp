// Where a running node's doors are.
#include "storage/repository/node_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace zenith::repository {
namespace {

constexpr size_t socket_path_bytes_max = 107;
constexpr std::string_view longest_socket = "/.s.PGSQL.65535";

}  // namespace

std::string encode(const node_file& node) {
  const nlohmann::json json{
      {"pid", node.pid}, {"cli_address", node.cli_address}, {"page_address", node.page_address}};
  return json.dump(2);
}

result<node_file> decode_node_file(std::string_view json_text) {
  const auto json = nlohmann::json::parse(json_text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("pid") || !json["pid"].is_number_integer() ||
      !json.contains("cli_address") || !json["cli_address"].is_string() ||
      !json.contains("page_address") || !json["page_address"].is_string())
    return fail(errc::corrupt, "no description of a node");
  return node_file{json["pid"].get<int32_t>(), json["cli_address"].get<std::string>(),
                   json["page_address"].get<std::string>()};
}

path doors_directory(const path& repository, const path& temporary, uint32_t user) {
  path inside = repository / "run";
  if (inside.string().size() + longest_socket.size() <= socket_path_bytes_max) return inside;
  return temporary / fmt::format("zenith-{}-{:08x}", user, crc32c(as_bytes(repository.string())));
}

std::string conninfo_value(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

path page_socket(const path& doors) {
  return doors / fmt::format(".s.PGSQL.{}", page_service_port);
}

}  // namespace zenith::repository
