// record: any bytes as a WAL record, taken apart; the images that it carries, put back into pages.
#include "storage/postgres/record.hpp"

#include <memory>

#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/guarded.hpp"
#include "tests/fuzz/record_case.hpp"

namespace {

using namespace zenith;
using namespace zenith::fuzz;

bool lies_in(byte_view part, byte_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void run(byte_view input) {
  static guarded_memory memory(1024 * 1024);
  if (input.size() > memory.capacity_bytes()) return;
  const auto raw = memory.use(input.size());
  std::ranges::copy(input, raw.begin());
  // A wrong length is refused at once, so it is wrong only where the input asks for that.
  if (raw.size() >= 24 && (load<uint16_t>(raw.data() + 18) & 1) == 0)
    store(raw.data(), static_cast<uint32_t>(raw.size()));

  (void)pg::check_record_crc(raw, case_start);
  static const auto record = std::make_unique<pg::record>();
  const lsn end = (case_start + raw.size()).aligned();
  if (!pg::decode_record(raw, case_start, end, *record)) return;
  demand(!pg::describe(*record).empty(), "a name for each record");
  demand(lies_in(record->main_data, raw), "main data inside the record");
  static guarded_page p;
  for (const auto& block : record->blocks()) {
    demand(lies_in(block.data, raw) && lies_in(block.image.data, raw), "blocks inside the record");
    demand(record->block(block.id) == &block, "each block found by its id");
    if (block.has_image) (void)pg::restore_image(block, record->start, *p);
  }
  // What its parts make is the same record again.
  const auto again = record_case::of(*record).raw();
  static const auto second = std::make_unique<pg::record>();
  demand(pg::decode_record(again, case_start, end, *second).has_value(), "its parts are a record");
  demand(record_case::of(*second).raw() == again, "the same parts again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  run(as_view(data, size));
  return 0;
}
