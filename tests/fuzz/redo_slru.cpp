// redo_slru: records that change pages of the transaction log and its like.
#include "tests/fuzz/redo_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using rm = zenith::pg::resource_manager;
  zenith::fuzz::run_redo(zenith::fuzz::as_view(data, size),
                         {rm::transaction, rm::clog, rm::multixact, rm::commit_ts});
  return 0;
}
