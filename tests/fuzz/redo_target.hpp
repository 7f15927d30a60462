// redo_target: one record applied to one page, by redo as readers run it.
#pragma once

#include <initializer_list>

#include "tests/fuzz/redo_case.hpp"

namespace zenith::fuzz {

/// Runs one input. A record of another resource manager is taken for one of these. Demands that
/// nothing outside page and record is touched, that the outcome depends on nothing else, and that
/// the page can be masked and told apart afterwards.
void run_redo(byte_view input, std::initializer_list<pg::resource_manager> rmgrs);

}  // namespace zenith::fuzz
