// redo_mutations: changes of a page where they hurt, or of its record; the mutators of redo's
// targets.
#include "tests/fuzz/redo_case.hpp"

namespace zenith::fuzz {
namespace {

// PageHeaderData (bufpage.h): pd_lower at 12, pd_upper, pd_special, then the line pointers from 24.
constexpr size_t page_bounds = 12, page_bounds_bytes = 6, line_pointers = 24;

/// The part of a page up to `length` bytes from `at` on.
byte_span part_of(page& p, size_t at, size_t length) {
  at = std::min(at, page_size_bytes);
  return p.span().subspan(at, std::min(length, page_size_bytes - at));
}

/// Where some line pointer says that its item is, or anywhere.
size_t some_item(random_source& random, const page& p) {
  const auto pointer = load<uint32_t>(p.begin() + line_pointers + 4 * below(random, 16));
  return one_in(random, 8) ? below(random, page_size_bytes) : pointer & 0x7FFF;
}

void mutate_page(random_source& random, page& p) {
  const auto special = load<uint16_t>(p.begin() + page_bounds + 4);
  switch (below(random, 10)) {
    case 0:
      return mutate_offset(random, part_of(p, page_bounds, page_bounds_bytes));
    case 1:
      return mutate_in_place(part_of(p, 8, 16));
    case 2:
      return mutate_offset(random, part_of(p, line_pointers, 4 + 4 * below(random, 32)));
    case 3:
      return mutate_in_place(part_of(p, line_pointers + 4 * below(random, 16), 4));
    case 4:
      return mutate_in_place(part_of(p, special, 64));
    case 5:
      return mutate_offset(random, part_of(p, special, 64));
    case 6:
      return mutate_in_place(part_of(p, some_item(random, p), 32));
    case 7:
      return mutate_offset(random, part_of(p, some_item(random, p), 24));
    case 8:
      return mutate_in_place(part_of(p, below(random, page_size_bytes), 64));
    default:
      // Gin's and hash's metapages and posting lists, SP-GiST's and BRIN's: from the header on.
      return mutate_offset(random, part_of(p, line_pointers, 128));
  }
}

}  // namespace

void redo_case::mutate(random_source& random) {
  const auto choice = below(random, 16);
  if (choice < 7) return record.mutate(random);
  if (choice < 15) return mutate_page(random, before);
  if (by_reference) {
    reference = static_cast<uint8_t>(below(random, 8));
  } else {
    target.d = one_in(random, 2) ? target.d + 1 : static_cast<uint32_t>(random());
  }
}

}  // namespace zenith::fuzz

using zenith::fuzz::as_view;
using zenith::fuzz::redo_case;

namespace {

/// What a mutator gives back; 0 where it does not fit.
size_t give(const redo_case& made, uint8_t* into, size_t max_size) {
  const auto encoded = made.write();
  if (encoded.size() > max_size) return 0;
  std::ranges::copy(encoded, reinterpret_cast<std::byte*>(into));
  return encoded.size();
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  zenith::fuzz::random_source random(seed);
  auto made = redo_case::read(as_view(data, size));
  for (auto changes = 1 + zenith::fuzz::below(random, 3); changes > 0; --changes)
    made.mutate(random);
  const size_t given = give(made, data, max_size);
  return given != 0 ? given : size;
}

// One input's record on the other's page, or with the other's data.
extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data, size_t size, const uint8_t* other,
                                            size_t other_size, uint8_t* into, size_t max_size,
                                            unsigned seed) {
  zenith::fuzz::random_source random(seed);
  auto made = redo_case::read(as_view(data, size));
  const auto from = redo_case::read(as_view(other, other_size));
  switch (zenith::fuzz::below(random, 3)) {
    case 0:
      made.before = from.before;
      break;
    case 1:
      made.record.main_data = from.record.main_data;
      break;
    default:
      made.record.blocks = from.record.blocks;
      break;
  }
  return give(made, into, max_size);
}
