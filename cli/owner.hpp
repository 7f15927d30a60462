// owner: the user that a repository belongs to; root becomes them, PostgreSQL refuses root.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "storage/base/result.hpp"

namespace zenith::cli {

struct user {
  uid_t id = 0;
  gid_t group = 0;
  std::string name;
  std::string home;
};

/// Error: not_found.
result<user> find_user(const std::string& name);
/// Who owns a file. Error: io.
result<user> owner_of(const std::filesystem::path& file);

/// This process is the user from here on, and cannot go back; HOME, USER and LOGNAME follow.
/// Nothing to do where it is that user already. Error: io.
result<void> become(const user& who);

/// Root becomes the repository's owner; others stay who they are. Error: conflict where it belongs
/// to root, or to somebody else whom this user cannot become.
result<void> become_owner_of(const std::filesystem::path& repository);

/// The first folder from the root down to `place` that the user cannot enter; empty where all can
/// be. Asked from a child process that is that user, so that groups and ACLs count.
std::filesystem::path first_unreachable(const std::filesystem::path& place, const user& who);

}  // namespace zenith::cli
