// completion: the shell's completion script, from the tree of commands.
#pragma once

#include <string>
#include <vector>

namespace zenith::cli {

/// A command as the shell sees it: what may follow it.
struct completable {
  std::string path;                ///< "", "branch", "pg create"
  std::vector<std::string> words;  ///< its subcommands and options
};

/// For `source <(zenith completion bash)`.
std::string bash_completion(const std::vector<completable>& commands);

}  // namespace zenith::cli
