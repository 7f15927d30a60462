// stored: what lies in files and images: pages told apart and masked, images put back into pages,
// the small files of a data directory, layer files, all from any bytes.
#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/checkpoint.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/mask.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/page_kind.hpp"
#include "storage/postgres/record.hpp"
#include "storage/postgres/relation_map.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/guarded.hpp"
#include "tests/fuzz/layer_case.hpp"
#include "tests/fuzz/redo_case.hpp"
#include "tests/support/memory_file_system.hpp"

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

/// Reads all that a layer gives, in every way.
template <class Layer>
void read_layer(const Layer& layer) {
  const key last{key_kind::transaction_ends, ~0u, ~0u, ~0u, 3, ~0u};
  const auto cursor = layer.cursor(key{}, last, lsn::max());
  layers::version_entry entry;
  std::optional<std::pair<key, lsn>> before;
  for (auto more = cursor->next(entry); more && *more; more = cursor->next(entry)) {
    demand(!before || before->first < entry.k ||
               (before->first == entry.k && before->second > entry.at),
           "a cursor gives versions in order");
    before.emplace(entry.k, entry.at);
    layers::key_history history;
    (void)layer.collect(entry.k, {}, entry.at, history);
    for (const auto& record : history.records)
      demand(record.start < record.end, "a record has a size");
  }
  const auto none = [](const key&) {};
  (void)layer.list(key{}, last, lsn::max(), none);
  (void)layer.first_later_than(0, lsn::max());
  (void)layer.newest_time(lsn::max());
  const size_t size = layer.file().description().key_size_bytes;
  (void)layer.file().visit(bytes(size), bytes(size, std::byte{0xFF}),
                           [](const auto&) { return true; });
}

/// A layer file: with sizes, places and checksums put right, or as it came.
void run_layer(byte_view input, bool repair) {
  const path name = "/layer";
  testing::memory_file_system files;
  {
    const bytes contents = repair ? layer_file_of(input) : copy_of(input);
    const auto file = files.open(name, open_mode::create_new);
    demand(file.has_value() && (*file)->write(0, contents).has_value(), "there is a file");
  }
  layers::block_cache cache(100'000);
  const uint64_t number = layers::block_file_reader::new_cache_file();
  if (const auto delta = layers::delta_layer::open(files, name, cache, number)) read_layer(**delta);
  if (const auto image = layers::image_layer::open(files, name, cache, number)) read_layer(**image);
}

}  // namespace

// u8: 0 a page, 1 a control file, 2 a relation map, 3 a checkpoint, from 4 to 6 an image, 7 a layer
// file (layer_case.hpp); bit 7: with checksums as they came.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  input_reader in(as_view(data, size));
  const auto which = in.take<uint8_t>();
  const bool repair = (which & 0x80) == 0;
  if ((which & 7) == 7)
    run_layer(in.rest(), repair);
  else if ((which & 7) >= 4)
    run_image(in);
  else if ((which & 3) == 0)
    run_page(in);
  else
    run_file(which & 3, in.rest(), repair);
  return 0;
}
