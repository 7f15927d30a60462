// record_case: a record's parts read, written and put together.
#include "tests/fuzz/record_case.hpp"

#include "tests/support/record_builder.hpp"

namespace zenith::fuzz {
namespace {

constexpr uint8_t fork_bits = 0x03, image_bit = 0x10, init_bit = 0x40, same_bit = 0x80;

block_case read_block(input_reader& in, const relation_id& last) {
  block_case b;
  b.id = in.take<uint8_t>();
  const auto flags = in.take<uint8_t>();
  b.fork = static_cast<fork_number>(flags & fork_bits);
  b.will_init = (flags & init_bit) != 0;
  b.has_image = (flags & image_bit) != 0;
  b.relation = last;
  if ((flags & same_bit) == 0) b.relation = in.take<relation_id>();
  b.number = in.take<uint32_t>();
  b.data = copy_of(in.take_bytes(in.take<uint16_t>()));
  if (b.has_image) {
    b.image_info = in.take<uint8_t>();
    b.hole_offset = in.take<uint16_t>();
    b.hole_length = in.take<uint16_t>();
    b.image = copy_of(in.take_bytes(in.take<uint16_t>()));
  }
  return b;
}

void write_block(input_writer& out, const block_case& b, const relation_id& last) {
  out.put(b.id);
  const bool same = b.relation == last;
  out.put(static_cast<uint8_t>(static_cast<uint8_t>(b.fork) | (b.has_image ? image_bit : 0) |
                               (b.will_init ? init_bit : 0) | (same ? same_bit : 0)));
  if (!same) out.put(b.relation);
  out.put(b.number);
  out.put(static_cast<uint16_t>(b.data.size()));
  out.put_bytes(b.data);
  if (!b.has_image) return;
  out.put(b.image_info);
  out.put(b.hole_offset);
  out.put(b.hole_length);
  out.put(static_cast<uint16_t>(b.image.size()));
  out.put_bytes(b.image);
}

}  // namespace

record_case record_case::read(input_reader& in) {
  record_case r;
  r.rmgr = static_cast<pg::resource_manager>(in.take<uint8_t>());
  r.info = in.take<uint8_t>();
  r.xid = in.take<uint32_t>();
  relation_id last;
  for (auto left = in.take<uint8_t>() % (pg::record::max_blocks + 1); left > 0 && !in.empty();
       --left) {
    r.blocks.push_back(read_block(in, last));
    last = r.blocks.back().relation;
  }
  r.main_data = copy_of(in.take_bytes(std::min<size_t>(in.take<uint32_t>(), max_part_bytes)));
  return r;
}

record_case record_case::of(const pg::record& record) {
  record_case r;
  r.rmgr = record.rmgr;
  r.info = record.info;
  r.xid = record.xid;
  r.main_data = copy_of(record.main_data);
  for (const auto& from : record.blocks()) {
    block_case b{.id = from.id,
                 .relation = from.relation,
                 .fork = from.fork,
                 .number = from.block,
                 .will_init = from.will_init,
                 .has_image = from.has_image,
                 .data = copy_of(from.data)};
    if (from.has_image) {
      b.image_info = from.image.info;
      b.hole_offset = from.image.hole_offset;
      b.hole_length = from.image.hole_length;
      b.image = copy_of(from.image.data);
    }
    r.blocks.push_back(std::move(b));
  }
  return r;
}

void record_case::write(input_writer& out) const {
  out.put(rmgr);
  out.put(info);
  out.put(xid);
  out.put(static_cast<uint8_t>(blocks.size()));
  relation_id last;
  for (const auto& b : blocks) {
    write_block(out, b, last);
    last = b.relation;
  }
  out.put(static_cast<uint32_t>(main_data.size()));
  out.put_bytes(main_data);
}

bytes record_case::raw() const {
  testing::record_builder builder(rmgr, info, xid);
  int last_id = -1;
  for (const auto& b : blocks) {
    const int id = std::max(last_id + 1, int{b.id});
    if (id >= static_cast<int>(pg::record::max_blocks)) break;
    last_id = id;
    testing::record_builder::block made{.id = static_cast<uint8_t>(id),
                                        .relation = b.relation,
                                        .fork = b.fork,
                                        .number = b.number,
                                        .will_init = b.will_init,
                                        .data = b.data};
    if (b.has_image)
      made.full_page =
          testing::record_builder::image{b.image, b.hole_offset, b.hole_length, b.image_info};
    builder.add(made);
  }
  builder.main_data(main_data);
  return builder.finish();
}

}  // namespace zenith::fuzz
