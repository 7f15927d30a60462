// The machine's own file system: the only code that calls open, fsync and rename.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "storage/io/file_system.hpp"

namespace zenith {
namespace {

tl::unexpected<error> failed(std::string_view what, const path& name, int reason) {
  const errc code = reason == ENOENT   ? errc::not_found
                    : reason == EEXIST ? errc::already_exists
                                       : errc::io;
  return fail(
      code, fmt::format("{} {}: {}", what, name.string(), std::generic_category().message(reason)));
}
tl::unexpected<error> failed_at(std::string_view what, const path& name, uint64_t offset,
                                int reason) {
  return fail(errc::io, fmt::format("{} {} at offset {}: {}", what, name.string(), offset,
                                    std::generic_category().message(reason)));
}

// Calls again what a signal interrupted.
template <class Call>
auto retried(Call call) {
  decltype(call()) got;
  do got = call();
  while (got < 0 && errno == EINTR);
  return got;
}

// Offsets are signed in the kernel's interface.
bool fits(uint64_t offset, size_t length) {
  constexpr auto most = static_cast<uint64_t>(INT64_MAX);
  return offset <= most && length <= most - offset;
}

class posix_file final : public file {
 public:
  posix_file(int descriptor, path name) : descriptor_(descriptor), name_(std::move(name)) {}
  ~posix_file() override { ::close(descriptor_); }
  posix_file(const posix_file&) = delete;
  posix_file& operator=(const posix_file&) = delete;

  result<void> read(uint64_t offset, byte_span into) const override {
    if (!fits(offset, into.size())) return failed_at("cannot read", name_, offset, EOVERFLOW);
    while (!into.empty()) {
      const ssize_t got = retried([&] {
        return ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
      });
      if (got < 0) return failed_at("cannot read", name_, offset, errno);
      if (got == 0)
        return fail(errc::corrupt, fmt::format("{} ends at offset {}, where {} more bytes must be",
                                               name_.string(), offset, into.size()));
      into = into.subspan(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
    return {};
  }

  result<void> write(uint64_t offset, byte_view data) override {
    if (!fits(offset, data.size())) return failed_at("cannot write", name_, offset, EFBIG);
    while (!data.empty()) {
      const ssize_t put = retried([&] {
        return ::pwrite(descriptor_, data.data(), data.size(), static_cast<off_t>(offset));
      });
      if (put < 0) return failed_at("cannot write", name_, offset, errno);
      if (put == 0) return failed_at("cannot write", name_, offset, ENOSPC);
      data = data.subspan(static_cast<size_t>(put));
      offset += static_cast<uint64_t>(put);
    }
    return {};
  }

  result<void> sync() override {
    // The kernel may have dropped what a failed sync left unwritten, and say "fine" the next time.
    if (sync_failed_)
      return fail(errc::io, fmt::format("cannot sync {}: an earlier sync of it failed, what was "
                                        "written since the one before may be lost",
                                        name_.string()));
    if (retried([&] { return ::fdatasync(descriptor_); }) != 0) {
      sync_failed_ = true;
      return failed("cannot sync", name_, errno);
    }
    return {};
  }

  result<uint64_t> size_bytes() const override {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) return failed("cannot examine", name_, errno);
    return static_cast<uint64_t>(status.st_size);
  }

  result<void> resize(uint64_t size_bytes) override {
    if (!fits(size_bytes, 0)) return failed("cannot resize", name_, EFBIG);
    if (retried([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size_bytes)); }) != 0)
      return failed("cannot resize", name_, errno);
    return {};
  }

 private:
  int descriptor_;
  path name_;
  std::atomic<bool> sync_failed_{false};
};

class posix final : public file_system {
 public:
  result<std::unique_ptr<file>> open(const path& name, open_mode mode) override {
    int flags = O_CLOEXEC | (mode == open_mode::read ? O_RDONLY : O_RDWR);
    if (mode == open_mode::create) flags |= O_CREAT;
    if (mode == open_mode::create_new) flags |= O_CREAT | O_EXCL;
    const int descriptor = retried([&] { return ::open(name.c_str(), flags, 0600); });
    if (descriptor < 0) return failed("cannot open", name, errno);
    return std::make_unique<posix_file>(descriptor, name);
  }

  result<bool> exists(const path& name) override {
    struct stat status;
    if (::stat(name.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return failed("cannot examine", name, errno);
  }

  result<void> create_directories(const path& name) override {
    path so_far;
    for (const path& part : name) {
      so_far /= part;
      if (::mkdir(so_far.c_str(), 0700) == 0 || errno == EEXIST) continue;
      // Above a directory that exists anything may be read-only or not ours to look into.
      const int reason = errno;
      struct stat status;
      if (::stat(so_far.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;
      return failed("cannot make directory", so_far, reason);
    }
    struct stat status;
    if (::stat(name.c_str(), &status) != 0) return failed("cannot examine", name, errno);
    if (!S_ISDIR(status.st_mode)) return failed("cannot make directory", name, ENOTDIR);
    return {};
  }

  result<std::vector<directory_entry>> list(const path& directory) override {
    DIR* stream = ::opendir(directory.c_str());
    if (stream == nullptr) return failed("cannot list", directory, errno);
    std::vector<directory_entry> entries;
    int reason = 0;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream);
      if (entry == nullptr) {
        reason = errno;
        break;
      }
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      bool is_directory = entry->d_type == DT_DIR;
      if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
        struct stat status;
        is_directory = ::stat((directory / name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
      }
      entries.push_back({name, is_directory});
    }
    ::closedir(stream);
    if (reason != 0) return failed("cannot list", directory, reason);
    std::ranges::sort(entries, {}, &directory_entry::name);
    return entries;
  }

  result<void> rename(const path& from, const path& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    const int reason = errno;
    return failed(fmt::format("cannot rename {} to", from.string()), to, reason);
  }

  result<void> remove(const path& name) override {
    if (::unlink(name.c_str()) != 0) return failed("cannot remove", name, errno);
    return {};
  }

  result<void> remove_all(const path& directory) override {
    std::error_code reason;
    std::filesystem::remove_all(directory, reason);
    if (reason) return failed("cannot remove", directory, reason.value());
    return {};
  }

  result<void> sync_directory(const path& directory) override {
    const int descriptor =
        retried([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) return failed("cannot open directory", directory, errno);
    const bool synced = retried([&] { return ::fsync(descriptor); }) == 0;
    const int reason = errno;
    ::close(descriptor);
    if (!synced) return failed("cannot sync directory", directory, reason);
    return {};
  }

  // The whole file system that holds it: one journal commit instead of one a file.
  result<void> sync_tree(const path& directory) override {
    const int descriptor =
        retried([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) return failed("cannot open directory", directory, errno);
    const bool synced = retried([&] { return ::syncfs(descriptor); }) == 0;
    const int reason = errno;
    ::close(descriptor);
    if (!synced) return failed("cannot sync the file system of", directory, reason);
    return {};
  }
};

}  // namespace

file_system& posix_file_system() {
  static posix system;
  return system;
}

}  // namespace zenith
