// stored: what lies in files and images: pages told apart and masked, images put back into pages,
// the small files of a data directory, all from any bytes.
#include "storage/postgres/checkpoint.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/mask.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/page_kind.hpp"
#include "storage/postgres/record.hpp"
#include "storage/postgres/relation_map.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/guarded.hpp"
#include "tests/fuzz/redo_case.hpp"

namespace {

using namespace zenith;
using namespace zenith::fuzz;

// u32 block, then a page as redo_case's.
void run_page(input_reader& in) {
  const auto block = in.take<block_number>();
  const page before = read_page(in);
  static guarded_page p;
  *p = before;
  (void)pg::kind_of(*p, block);
  (void)pg::check_page_header(*p);
  (void)pg::page_checksum(*p, block);
  for (pg::offset_number n = 0; n <= pg::max_offset(*p) && n < 64; ++n) (void)pg::item_at(*p, n);
  (void)pg::special_space(*p);
  for (unsigned rmgr = 0; rmgr < 24; ++rmgr) {
    *p = before;
    pg::mask_page(static_cast<pg::resource_manager>(rmgr), block, *p);
  }
}

void run_file(uint8_t which, byte_view input, bool repair) {
  static guarded_memory memory(64 * 1024);
  const auto data = memory.use(std::min(input.size(), memory.capacity_bytes()));
  std::ranges::copy(input.first(data.size()), data.begin());
  const auto set_crc = [&](size_t at) {
    if (repair && data.size() >= at + 4) store(data.data() + at, crc32c(data.first(at)));
  };
  switch (which) {
    case 1:
      set_crc(288);  // ControlFileData.crc
      if (const auto c = pg::decode_control_file(data))
        demand(*pg::decode_control_file(pg::encode_control_file(*c)) == *c,
               "what is read is written back");
      break;
    case 2:
      set_crc(504);  // RelMapFile.crc
      (void)pg::decode_relation_map(data);
      break;
    default:
      if (const auto c = pg::decode_checkpoint(data))
        demand(*pg::decode_checkpoint(pg::encode_checkpoint(*c)) == *c,
               "what is read is written back");
      break;
  }
}

// u8 info, u16 hole offset, u16 hole length, the image.
void run_image(input_reader& in) {
  pg::block_reference block;
  block.has_image = true;
  block.image.info = in.take<uint8_t>();
  block.image.hole_offset = in.take<uint16_t>();
  block.image.hole_length = in.take<uint16_t>();
  static guarded_memory memory(64 * 1024);
  const auto data = memory.use(std::min(in.rest().size(), memory.capacity_bytes()));
  std::ranges::copy(in.rest().first(data.size()), data.begin());
  block.image.data = data;

  static guarded_page first, second;
  first->data.fill(std::byte{0x11});
  second->data.fill(std::byte{0xEE});
  const auto restored = pg::restore_image(block, lsn{8}, *first);
  const auto again = pg::restore_image(block, lsn{8}, *second);
  demand(restored.has_value() == again.has_value(), "the same outcome each time");
  if (restored) demand(first->data == second->data, "the whole page is the image's");
}

}  // namespace

// u8: 0 a page, 1 a control file, 2 a relation map, 3 a checkpoint, from 4 to 7 an image; bit 7:
// with the CRC as it came.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  input_reader in(as_view(data, size));
  const auto which = in.take<uint8_t>();
  if ((which & 7) >= 4)
    run_image(in);
  else if ((which & 3) == 0)
    run_page(in);
  else
    run_file(which & 3, in.rest(), (which & 0x80) == 0);
  return 0;
}
