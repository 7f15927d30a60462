// timeline_mutations: records of a sequence changed, repeated, swapped; the timeline's mutators.
#include "tests/fuzz/timeline_case.hpp"

namespace {

using zenith::fuzz::as_view;
using zenith::fuzz::below;
using zenith::fuzz::timeline_case;

void mutate(zenith::fuzz::random_source& random, timeline_case& made) {
  auto& records = made.records;
  if (records.empty()) records.emplace_back();
  auto& one = records[below(random, records.size())];
  switch (below(random, 12)) {
    case 0:
      if (records.size() < timeline_case::records_max) records.push_back(one);
      break;
    case 1:
      std::swap(one, records[below(random, records.size())]);
      break;
    case 2:
      records.erase(records.begin() + static_cast<ptrdiff_t>(below(random, records.size())));
      break;
    case 3:  // the same data in another record, and the same relation
      one.main_data = records[below(random, records.size())].main_data;
      break;
    case 4:
      one.blocks = records[below(random, records.size())].blocks;
      break;
    case 5:
      one.rmgr = static_cast<zenith::pg::resource_manager>(below(random, 24));
      break;
    default:
      one.mutate(random);
      break;
  }
}

size_t give(const timeline_case& made, uint8_t* into, size_t max_size) {
  const auto encoded = made.write();
  if (encoded.size() > max_size) return 0;
  std::ranges::copy(encoded, reinterpret_cast<std::byte*>(into));
  return encoded.size();
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  zenith::fuzz::random_source random(seed);
  auto made = timeline_case::read(as_view(data, size));
  for (auto changes = 1 + below(random, 3); changes > 0; --changes) mutate(random, made);
  const size_t given = give(made, data, max_size);
  return given != 0 ? given : size;
}

// Some of each input's records.
extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data, size_t size, const uint8_t* other,
                                            size_t other_size, uint8_t* into, size_t max_size,
                                            unsigned seed) {
  zenith::fuzz::random_source random(seed);
  auto made = timeline_case::read(as_view(data, size));
  for (auto& record : timeline_case::read(as_view(other, other_size)).records)
    if (below(random, 2) == 0 && made.records.size() < timeline_case::records_max)
      made.records.insert(
          made.records.begin() + static_cast<ptrdiff_t>(below(random, made.records.size() + 1)),
          std::move(record));
  return give(made, into, max_size);
}
