// node_file: where a running node's doors are, for those who want to reach it.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"
#include "storage/repository/metadata.hpp"

namespace zenith::repository {

/// .zenith/node.json: written by a node once it serves, removed when it ends.
struct node_file {
  int32_t pid = 0;
  std::string cli_address;   ///< the control socket's path
  std::string page_address;  ///< a libpq conninfo of the page service
};
std::string encode(const node_file& node);
result<node_file> decode_node_file(std::string_view json_text);

inline constexpr const char* node_file_name = "node.json";
inline constexpr const char* lock_file_name = "lock";
inline constexpr const char* secret_file_name = "secret";

/// The private folder of a node's sockets: inside the repository where the longest socket's path
/// still fits into an address (107 bytes), else a short one below `temporary`, named by the
/// repository's path, so that it is found again.
path doors_directory(const path& repository, const path& temporary, uint32_t user);

/// Names in that folder: the command line's socket, and the page service's as libpq wants it.
inline constexpr const char* control_socket_name = "control";
inline constexpr uint16_t page_service_port = 6400;
path page_socket(const path& doors);

/// A value in a connection's text: quoted as libpq reads it (fe-connect.c, conninfo_parse).
std::string conninfo_value(const std::string& value);

}  // namespace zenith::repository
