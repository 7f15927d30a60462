// help: the program's own front page.
#pragma once

#include <string>

namespace zenith::cli {

/// What `zenith help` shows: the commands in groups, and examples.
std::string front_page();

}  // namespace zenith::cli
