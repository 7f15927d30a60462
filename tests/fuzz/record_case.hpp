// record_case: a WAL record as its parts, so that any change of one is still a record.
#pragma once

#include <vector>

#include "storage/base/key.hpp"
#include "storage/postgres/record.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/mutate.hpp"

namespace zenith::fuzz {

/// Where the records of inputs stand, and when a base before them was made: later than any real
/// page's LSN, so that pages are older than records.
inline constexpr lsn case_start{0x7000'0000'0000'0000};
inline constexpr lsn case_base_end{0x6FFF'0000'0000'0000};

struct block_case {
  uint8_t id = 0;
  relation_id relation;
  fork_number fork = fork_number::main;
  block_number number = 0;
  bool will_init = false;
  bool has_image = false;
  uint8_t image_info = 0;
  uint16_t hole_offset = 0;
  uint16_t hole_length = 0;
  bytes data;
  bytes image;
};

/// Encoded, each number little-endian:
///    u8 resource manager, u8 info, u32 xid, u8 count of blocks; then each block:
///      u8 id, u8 flags: 0..1 fork, 4 image, 6 will_init, 7 the same relation as the one before
///      u32 tablespace, database, relfilenode, unless the same; u32 block
///      u16 length, data; with an image: u8 info, u16 hole offset, u16 hole length, u16 length,
///      image
///    u32 length, main data
struct record_case {
  static constexpr size_t max_part_bytes = 0xFFFF;

  pg::resource_manager rmgr{};
  uint8_t info = 0;
  uint32_t xid = 0;
  std::vector<block_case> blocks;
  bytes main_data;

  static record_case read(input_reader& in);
  static record_case of(const pg::record& record);
  void write(input_writer& out) const;

  /// The record's bytes: all lengths fit, block ids rise, the CRC is right.
  bytes raw() const;
  /// Changes one part.
  void mutate(random_source& random);
};

}  // namespace zenith::fuzz
