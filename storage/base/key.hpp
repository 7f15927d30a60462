// Keys: the name of everything that has versions, in one fixed-size ordered type.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith {

/// RelFileNode (relfilenode.h): which files a relation has.
struct relation_id {
  uint32_t tablespace = 0;
  uint32_t database = 0;
  uint32_t relfilenode = 0;

  auto operator<=>(const relation_id&) const = default;
};
/// "1663/5/16384".
std::string to_string(const relation_id& relation);

/// ForkNumber (relpath.h).
enum class fork_number : uint8_t { main = 0, fsm = 1, vm = 2, init = 3 };
inline constexpr std::array all_forks{fork_number::main, fork_number::fsm, fork_number::vm,
                                      fork_number::init};
/// "main", "fsm", "vm" or "init".
const char* to_string(fork_number fork);

/// A position in a fork, counted in pages.
using block_number = uint32_t;

/// The SLRUs that are kept (slru.h); the others (subtrans, notify, serial) mean nothing later.
enum class slru_kind : uint8_t {
  xact = 0,
  multixact_offsets = 1,
  multixact_members = 2,
  commit_ts = 3
};
inline constexpr std::array all_slrus{slru_kind::xact, slru_kind::multixact_offsets,
                                      slru_kind::multixact_members, slru_kind::commit_ts};
/// The folder in a data directory: "pg_xact", "pg_multixact/offsets", ...
const char* directory_of(slru_kind slru);

/// What a key names. The numbers are stored in layer files: frozen.
enum class key_kind : uint8_t {
  control = 1,              ///< what pg_control holds, but for the counters below (control_state)
  next_full_xid = 2,        ///< u64: the next transaction id, with its epoch
  next_oid = 3,             ///< u32
  next_multixact = 4,       ///< u32 next multixact, u32 next offset
  tablespace = 5,           ///< a = oid; the path as text, empty for one in place
  database = 6,             ///< a = tablespace, b = database; empty value
  relation_map = 7,         ///< a = tablespace, b = database (0 for the global one); 512 bytes
  two_phase = 8,            ///< a = xid; what the file pg_twophase/XID holds
  replication_origin = 9,   ///< a = origin id; u64 remote LSN
  slru_page = 10,           ///< fork = slru_kind, d = page number; 8192 bytes
  relation_size = 11,       ///< a, b, c = relation, fork; relation_state (relation_state.hpp)
  relation_block = 12,      ///< a, b, c = relation, fork, d = block; 8192 bytes
  configuration_file = 13,  ///< a = a number by which files are told apart; name, NUL, contents
  transaction_ends = 14,    ///< a, d = the batch's first end LSN; a batch (transaction_end.hpp)
};

/// Names one versioned thing. Ordered by its fields from first to last, so that all sizes of a
/// database's relations, and all blocks of a fork, are neighbours.
struct key {
  key_kind kind{};
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint8_t fork = 0;
  uint32_t d = 0;

  auto operator<=>(const key&) const = default;

  static key control() { return {key_kind::control}; }
  static key next_full_xid() { return {key_kind::next_full_xid}; }
  static key next_oid() { return {key_kind::next_oid}; }
  static key next_multixact() { return {key_kind::next_multixact}; }
  static key tablespace(uint32_t oid) { return {key_kind::tablespace, oid}; }
  static key database(uint32_t tablespace, uint32_t oid) {
    return {key_kind::database, tablespace, oid};
  }
  static key relation_map(uint32_t tablespace, uint32_t database) {
    return {key_kind::relation_map, tablespace, database};
  }
  static key two_phase(uint32_t xid) { return {key_kind::two_phase, xid}; }
  static key replication_origin(uint16_t id) { return {key_kind::replication_origin, id}; }
  static key slru(slru_kind slru, uint32_t page_number) {
    return {key_kind::slru_page, 0, 0, 0, static_cast<uint8_t>(slru), page_number};
  }
  /// A batch of transaction ends, the first of which ended at the LSN.
  static key transaction_ends(uint64_t first_end) {
    return {key_kind::transaction_ends,      static_cast<uint32_t>(first_end >> 32), 0, 0, 0,
            static_cast<uint32_t>(first_end)};
  }
  static key size(const relation_id& r, fork_number fork) {
    return {key_kind::relation_size, r.tablespace, r.database, r.relfilenode,
            static_cast<uint8_t>(fork)};
  }
  static key block(const relation_id& r, fork_number fork, block_number block) {
    return {key_kind::relation_block,   r.tablespace, r.database, r.relfilenode,
            static_cast<uint8_t>(fork), block};
  }

  /// All blocks of a fork together, as a copy of another fork names them: the number is that of no
  /// block (block.h, InvalidBlockNumber).
  static key all_blocks(const relation_id& r, fork_number fork) { return block(r, fork, ~0u); }
  bool is_all_blocks() const { return kind == key_kind::relation_block && d == ~0u; }

  relation_id relation() const { return {a, b, c}; }
  fork_number relation_fork() const { return static_cast<fork_number>(fork); }
  slru_kind slru_of() const { return static_cast<slru_kind>(fork); }
};

/// The next key before or after one among all that decode_key takes; there has to be one.
key key_before(const key& k);
key key_after(const key& k);

/// For people: "relation 1663/5/16384 main block 7", "pg_xact page 3".
std::string to_string(const key& k);

/// A key as layer files hold it: 18 bytes, big-endian, so that memcmp orders as <=> does. Frozen.
///    0  u8   kind
///    1  u32  a (tablespace, oid, xid)
///    5  u32  b (database)
///    9  u32  c (relfilenode)
///   13  u8   fork or SLRU
///   14  u32  d (block or page number)
inline constexpr size_t encoded_key_size_bytes = 18;
using encoded_key = std::array<std::byte, encoded_key_size_bytes>;
encoded_key encode(const key& k);
/// Any 18 bytes with a known kind, fork and SLRU. Error: corrupt.
result<key> decode_key(byte_view encoded);

}  // namespace zenith

template <>
struct std::hash<zenith::key> {
  size_t operator()(const zenith::key& k) const {
    const auto mix = [](uint64_t h) {
      h ^= h >> 32;
      h *= 0xd6e8feb86659fd93u;
      h ^= h >> 32;
      return h;
    };
    uint64_t h = mix((uint64_t{k.a} << 32 | k.b) + 0x9e3779b97f4a7c15u);
    h = mix(h + (uint64_t{k.c} << 32 | k.d));
    return mix(h + (uint64_t{static_cast<uint8_t>(k.kind)} << 8 | k.fork));
  }
};
