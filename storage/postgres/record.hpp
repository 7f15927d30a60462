// A decoded WAL record: its header, its block references with their images, its main data.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::pg {

/// Resource managers of PostgreSQL 15 (rmgrlist.h). Others, from 128 on, belong to extensions.
enum class resource_manager : uint8_t {
  xlog = 0,
  transaction = 1,
  storage = 2,
  clog = 3,
  database = 4,
  tablespace = 5,
  multixact = 6,
  relmap = 7,
  standby = 8,
  heap2 = 9,
  heap = 10,
  btree = 11,
  hash = 12,
  gin = 13,
  gist = 14,
  sequence = 15,
  spgist = 16,
  brin = 17,
  commit_ts = 18,
  replication_origin = 19,
  generic = 20,
  logical_message = 21,
};

/// One that an extension has registered (rmgr.h, RmgrIdIsCustom).
inline bool is_extension(resource_manager rmgr) { return static_cast<uint8_t>(rmgr) >= 128; }

/// A full-page image inside a record (xlogrecord.h, XLogRecordBlockImageHeader).
struct block_image {
  byte_view data;            ///< as in the record: without its hole, compressed or not
  uint16_t hole_offset = 0;  ///< where the hole of zeros starts in the page
  uint16_t hole_length = 0;  ///< 0: no hole
  uint8_t info = 0;          ///< BKPIMAGE_* bits
  bool apply = false;        ///< the page becomes this image; otherwise it serves checking only
};

/// One page that a record refers to (xlogrecord.h, XLogRecordBlockHeader).
struct block_reference {
  uint8_t id = 0;  ///< 0..32, as the resource manager numbers them
  relation_id relation;
  fork_number fork = fork_number::main;
  block_number block = 0;
  bool will_init = false;  ///< redo starts from a page of zeros
  bool has_image = false;
  bool has_data = false;
  block_image image;  ///< valid where has_image
  byte_view data;     ///< the record's data for this block; empty where !has_data

  /// The page's contents after the record do not depend on what was there before.
  bool initialises() const { return will_init || (has_image && image.apply); }
  key page_key() const { return key::block(relation, fork, block); }
};

/// Views into the record's own bytes: valid as long as those are.
struct record {
  static constexpr size_t max_blocks = 33;  ///< XLR_MAX_BLOCK_ID + 1

  lsn start;  ///< where the record begins
  lsn end;    ///< where the next one may begin (EndRecPtr); what page LSNs are set to
  uint32_t total_length_bytes = 0;
  uint32_t xid = 0;
  lsn previous;  ///< xl_prev: where the record before this one begins
  uint8_t info = 0;
  resource_manager rmgr = resource_manager::xlog;
  std::optional<uint16_t> origin;        ///< replication origin (XLR_BLOCK_ID_ORIGIN)
  std::optional<uint32_t> toplevel_xid;  ///< XLR_BLOCK_ID_TOPLEVEL_XID
  byte_view main_data;
  uint8_t block_count = 0;
  std::array<block_reference, max_blocks> block_storage;  ///< the first block_count are valid

  std::span<const block_reference> blocks() const { return {block_storage.data(), block_count}; }
  /// The block reference with this id, or nullptr.
  const block_reference* block(uint8_t id) const;
  /// The resource manager's own bits of info (XLR_RMGR_INFO_MASK, 0xF0).
  uint8_t opcode() const { return info & 0xF0; }
};

/// Takes a record apart. `raw`: its xl_tot_len contiguous bytes, header first, CRC not checked
/// here. Every length is checked against the bytes that are there. Error: corrupt, naming the LSN.
/// Source of the rules: xlogreader.c, DecodeXLogRecord.
result<void> decode_record(byte_view raw, lsn start, lsn end, record& into);

/// Checks xl_tot_len against raw and the record's CRC (xlogreader.c, ValidXLogRecord).
result<void> check_record_crc(byte_view raw, lsn start);

/// Puts the image into the page, its hole as zeros, uncompressed by pglz, lz4 or zstd; does not
/// set the page's LSN. Error: corrupt. Source: xlogreader.c, RestoreBlockImage.
result<void> restore_image(const block_reference& block, lsn record_start, page& into);

/// "Heap", as pg_waldump names it; "custom128" and the like for an extension's own.
std::string resource_manager_name(resource_manager rmgr);

/// "INSERT+INIT", as pg_waldump names a record with this xl_info; "UNKNOWN (90)" where it has none.
std::string record_name(resource_manager rmgr, uint8_t info);

/// "Heap/INSERT+INIT at 0/1529A68": names a record in errors.
std::string describe(const record& r);

}  // namespace zenith::pg
