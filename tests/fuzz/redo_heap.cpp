// redo_heap: records of the table's two resource managers, on its pages and its visibility map's.
#include "tests/fuzz/redo_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using rm = zenith::pg::resource_manager;
  zenith::fuzz::run_redo(zenith::fuzz::as_view(data, size), {rm::heap, rm::heap2});
  return 0;
}
