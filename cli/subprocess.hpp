// subprocess: runs another program to its end and keeps what it wrote.
#pragma once

#include <string>
#include <vector>

#include "storage/base/result.hpp"

namespace zenith::cli {

struct finished_program {
  int exit_code = 0;  ///< 128 + signal where one ended it
  std::string output;
  std::string errors;
};

/// argv[0] is a path. No variable that begins with "PG" reaches it. Errors: io, not_found (no such
/// program).
result<finished_program> run_program(const std::vector<std::string>& argv);

/// Removes every variable that begins with "PG" from this process's environment: libpq and the
/// server would take them for orders.
void forget_postgres_environment();

/// The last line of a text that is not empty.
std::string last_line(const std::string& text);

}  // namespace zenith::cli
