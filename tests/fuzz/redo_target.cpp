// redo_target: apply between guards, twice.
#include "tests/fuzz/redo_target.hpp"

#include <memory>

#include "storage/postgres/mask.hpp"
#include "storage/postgres/page_kind.hpp"
#include "storage/redo/redo.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/guarded.hpp"

namespace zenith::fuzz {
namespace {

/// Leaves a pattern where the next calls have their variables: what they do not set themselves
/// differs from run to run then.
__attribute__((noinline, no_sanitize("address"))) void fill_stack(int pattern) {
  volatile std::byte room[48 * 1024];
  std::memset(const_cast<std::byte*>(room), pattern, sizeof(room));
}

}  // namespace

void run_redo(byte_view input, std::initializer_list<pg::resource_manager> rmgrs) {
  auto made = redo_case::read(input);
  if (std::ranges::find(rmgrs, made.record.rmgr) == rmgrs.end())
    made.record.rmgr = rmgrs.begin()[static_cast<size_t>(made.record.rmgr) % rmgrs.size()];
  const auto built = made.record.raw();

  static guarded_memory record_memory(4 * 1024 * 1024);
  if (built.size() > record_memory.capacity_bytes()) return;
  const auto raw = record_memory.use(built.size());
  std::ranges::copy(built, raw.begin());
  static const auto record = std::make_unique<pg::record>();
  const lsn end = (case_start + raw.size()).aligned();
  if (!pg::decode_record(raw, case_start, end, *record)) return;

  static guarded_page first, second;
  const key k = made.page_key();
  *first = *second = made.before;
  fill_stack(0);
  const auto applied = redo::apply(*record, k, *first);
  fill_stack(0xA5);
  const auto again = redo::apply(*record, k, *second);
  demand(applied.has_value() == again.has_value(), "the same outcome each time");
  if (!applied) {
    demand(applied.error().message == again.error().message, "the same error each time");
    return;
  }
  demand(first->data == second->data, "the same page each time");
  pg::mask_page(record->rmgr, k.d, *first);
  pg::mask_page(pg::mask_of(pg::kind_of(*second, k.d)), k.d, *second);
}

}  // namespace zenith::fuzz
