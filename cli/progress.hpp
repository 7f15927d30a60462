// progress: tells a person at a terminal what takes its time.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace zenith::cli {

/// One line on standard error; nothing where that is no terminal.
inline void show_progress(const std::string& what) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "%s...\n", what.c_str());
}

}  // namespace zenith::cli
