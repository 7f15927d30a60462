// record_mutations: changes of one part of a record.
#include "tests/fuzz/record_case.hpp"

namespace zenith::fuzz {
namespace {

void mutate_block(random_source& random, block_case& b) {
  switch (below(random, 16)) {
    case 0:
      b.will_init = !b.will_init;
      break;
    case 1:
      b.has_image = !b.has_image;
      break;
    case 2:
      b.id = static_cast<uint8_t>(below(random, 5));
      break;
    case 3:
      b.fork = static_cast<fork_number>(below(random, all_forks.size()));
      break;
    case 4:
      b.number = one_in(random, 2) ? b.number + 1 : static_cast<uint32_t>(random());
      break;
    case 5:
      mutate_in_place({reinterpret_cast<std::byte*>(&b.relation), sizeof(b.relation)});
      break;
    case 6:
      b.image_info ^= static_cast<uint8_t>(1u << below(random, 8));
      break;
    case 7:
      mutate_bytes(b.image, 64);
      break;
    case 8:
    case 9:
    case 10:
      mutate_offset(random, b.data);
      break;
    default:
      mutate_bytes(b.data, 64);
      break;
  }
  if (b.data.size() > record_case::max_part_bytes) b.data.resize(record_case::max_part_bytes);
  if (b.image.size() > record_case::max_part_bytes) b.image.resize(record_case::max_part_bytes);
}

}  // namespace

void record_case::mutate(random_source& random) {
  const auto choice = below(random, 16);
  if (choice < 6 && !blocks.empty())
    return mutate_block(random, blocks[below(random, blocks.size())]);
  switch (choice) {
    case 6:
      info = static_cast<uint8_t>(random());
      break;
    case 7:
      info ^= static_cast<uint8_t>(0x10u << below(random, 4));
      break;
    case 8:
      xid = one_in(random, 2) ? xid + 1 : static_cast<uint32_t>(random());
      break;
    case 9:
      if (blocks.size() < pg::record::max_blocks)
        blocks.push_back(blocks.empty() ? block_case{} : blocks[below(random, blocks.size())]);
      break;
    case 10:
      if (!blocks.empty())
        blocks.erase(blocks.begin() + static_cast<ptrdiff_t>(below(random, blocks.size())));
      break;
    case 11:
    case 12:
      mutate_offset(random, main_data);
      break;
    default:
      mutate_bytes(main_data, 64);
      break;
  }
  if (main_data.size() > max_part_bytes) main_data.resize(max_part_bytes);
}

}  // namespace zenith::fuzz
