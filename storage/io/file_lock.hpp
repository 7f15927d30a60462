// file_lock: one process at a time, by a lock that the kernel releases when its holder ends.
#pragma once

#include <memory>
#include <optional>

#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith {

/// Holds a lock on a file from try_lock() until it is destroyed, or the process ends however it
/// does. The file stays, holding the process id as text; that it exists means nothing. A child
/// process that is forked and runs another program does not keep it.
class file_lock {
 public:
  /// Takes the lock, making the file where it does not exist. Errors: conflict where another holder
  /// has it (the message names its process), not_found (no such directory), io.
  static result<std::unique_ptr<file_lock>> try_lock(const path& name);

  /// The process that holds the lock, none where it is free or there is no such file; takes nothing
  /// that would make a try_lock elsewhere fail. The error is io.
  static result<std::optional<int>> holder_of(const path& name);

  ~file_lock();
  file_lock(const file_lock&) = delete;
  file_lock& operator=(const file_lock&) = delete;

 private:
  explicit file_lock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace zenith
