// redo_other: full-page images, sequences, generic records, and truncations of maps.
#include "tests/fuzz/redo_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using rm = zenith::pg::resource_manager;
  zenith::fuzz::run_redo(zenith::fuzz::as_view(data, size),
                         {rm::xlog, rm::sequence, rm::generic, rm::storage});
  return 0;
}
