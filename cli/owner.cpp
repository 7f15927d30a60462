// The user that a repository belongs to.
#include "cli/owner.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;

user from_entry(const passwd& entry) {
  return {entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir};
}

}  // namespace

result<user> find_user(const std::string& name) {
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr)
    return fail(errc::not_found,
                fmt::format("there is no user '{}' on this machine: install PostgreSQL 15's "
                            "package, which makes it, or run zenith as an ordinary user",
                            name));
  return from_entry(*entry);
}

result<user> owner_of(const fs::path& file) {
  struct stat found {};
  if (stat(file.c_str(), &found) != 0)
    return fail(errc::io, fmt::format("{}: {}", file.string(), std::strerror(errno)));
  const passwd* entry = getpwuid(found.st_uid);
  if (entry == nullptr) return user{found.st_uid, found.st_gid, std::to_string(found.st_uid), "/"};
  return from_entry(*entry);
}

result<void> become(const user& who) {
  if (geteuid() == who.id) return {};
  if (initgroups(who.name.c_str(), who.group) != 0 || setgid(who.group) != 0 || setuid(who.id) != 0)
    return fail(errc::io, fmt::format("cannot become user {}: {}", who.name, std::strerror(errno)));
  setenv("HOME", who.home.c_str(), 1);
  setenv("USER", who.name.c_str(), 1);
  setenv("LOGNAME", who.name.c_str(), 1);
  return {};
}

result<void> become_owner_of(const fs::path& repository) {
  ZENITH_TRY_ASSIGN(const user owner, owner_of(repository));
  if (geteuid() == owner.id && owner.id != 0) return {};
  if (owner.id == 0)
    return fail(errc::conflict,
                fmt::format("{} belongs to root, and PostgreSQL refuses to run as root; give it "
                            "to another user: chown -R postgres: {}",
                            repository.string(), repository.string()));
  if (geteuid() != 0)
    return fail(errc::conflict, fmt::format("{} belongs to user {}; run zenith as {} or as root",
                                            repository.string(), owner.name, owner.name));
  return become(owner);
}

fs::path first_unreachable(const fs::path& place, const user& who) {
  std::vector<fs::path> folders;
  fs::path so_far;
  for (const fs::path& part : place) {
    so_far /= part;
    folders.push_back(so_far);
  }
  const pid_t child = fork();
  if (child < 0) return {};
  if (child == 0) {
    constexpr size_t exit_codes = 255;
    if (!become(who)) _exit(0);
    for (size_t i = 0; i < folders.size() && i < exit_codes; ++i)
      if (access(folders[i].c_str(), X_OK) != 0 && errno == EACCES) _exit(static_cast<int>(i) + 1);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const auto number = static_cast<size_t>(WIFEXITED(status) ? WEXITSTATUS(status) : 0);
  return number == 0 ? fs::path() : folders[number - 1];
}

}  // namespace zenith::cli
