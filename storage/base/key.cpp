// Keys as text and as bytes.
#include "storage/base/key.hpp"

#include <fmt/format.h>

#include "storage/base/assert.hpp"

namespace zenith {
namespace {

constexpr uint8_t fork_max = 3;  // of forks and of SLRUs

}  // namespace

std::string to_string(const relation_id& relation) {
  return fmt::format("{}/{}/{}", relation.tablespace, relation.database, relation.relfilenode);
}

const char* to_string(fork_number fork) {
  switch (fork) {
    case fork_number::main:
      return "main";
    case fork_number::fsm:
      return "fsm";
    case fork_number::vm:
      return "vm";
    case fork_number::init:
      return "init";
  }
  return "unknown";
}

const char* directory_of(slru_kind slru) {
  switch (slru) {
    case slru_kind::xact:
      return "pg_xact";
    case slru_kind::multixact_offsets:
      return "pg_multixact/offsets";
    case slru_kind::multixact_members:
      return "pg_multixact/members";
    case slru_kind::commit_ts:
      return "pg_commit_ts";
  }
  return "unknown";
}

std::string to_string(const key& k) {
  switch (k.kind) {
    case key_kind::control:
      return "control data";
    case key_kind::next_full_xid:
      return "next transaction id";
    case key_kind::next_oid:
      return "next oid";
    case key_kind::next_multixact:
      return "next multixact";
    case key_kind::tablespace:
      return fmt::format("tablespace {}", k.a);
    case key_kind::database:
      return fmt::format("database {}/{}", k.a, k.b);
    case key_kind::relation_map:
      return fmt::format("relation map {}/{}", k.a, k.b);
    case key_kind::two_phase:
      return fmt::format("two-phase state {:08X}", k.a);
    case key_kind::replication_origin:
      return fmt::format("replication origin {}", k.a);
    case key_kind::slru_page:
      return fmt::format("{} page {}", directory_of(k.slru_of()), k.d);
    case key_kind::relation_size:
      return fmt::format("size of relation {} {}", to_string(k.relation()),
                         to_string(k.relation_fork()));
    case key_kind::relation_block:
      return fmt::format("relation {} {} block {}", to_string(k.relation()),
                         to_string(k.relation_fork()), k.d);
    case key_kind::configuration_file:
      return fmt::format("configuration file {}", k.a);
    case key_kind::transaction_ends:
      return fmt::format("transaction ends up to {:X}/{:X}", k.a, k.d);
  }
  return fmt::format("key of unknown kind {}", static_cast<int>(k.kind));
}

key key_before(const key& k) {
  key before = k;
  if (before.d-- != 0) return before;
  if (before.fork-- != 0) return before;
  before.fork = fork_max;
  if (before.c-- != 0 || before.b-- != 0 || before.a-- != 0) return before;
  ZENITH_ASSERT(k.kind > key_kind::control);
  before.kind = static_cast<key_kind>(static_cast<uint8_t>(k.kind) - 1);
  return before;
}

key key_after(const key& k) {
  key after = k;
  if (++after.d != 0) return after;
  if (after.fork++ < fork_max) return after;
  after.fork = 0;
  if (++after.c != 0 || ++after.b != 0 || ++after.a != 0) return after;
  ZENITH_ASSERT(k.kind < key_kind::transaction_ends);
  after.kind = static_cast<key_kind>(static_cast<uint8_t>(k.kind) + 1);
  return after;
}

encoded_key encode(const key& k) {
  encoded_key out;
  out[0] = static_cast<std::byte>(k.kind);
  store_big_endian(&out[1], k.a);
  store_big_endian(&out[5], k.b);
  store_big_endian(&out[9], k.c);
  out[13] = static_cast<std::byte>(k.fork);
  store_big_endian(&out[14], k.d);
  return out;
}

result<key> decode_key(byte_view encoded) {
  if (encoded.size() != encoded_key_size_bytes)
    return fail(errc::corrupt, fmt::format("a key has {} bytes, expected {}", encoded.size(),
                                           encoded_key_size_bytes));
  key k;
  k.kind = static_cast<key_kind>(encoded[0]);
  k.a = load_big_endian<uint32_t>(&encoded[1]);
  k.b = load_big_endian<uint32_t>(&encoded[5]);
  k.c = load_big_endian<uint32_t>(&encoded[9]);
  k.fork = static_cast<uint8_t>(encoded[13]);
  k.d = load_big_endian<uint32_t>(&encoded[14]);
  if (k.kind < key_kind::control || k.kind > key_kind::transaction_ends || k.fork > fork_max)
    return fail(errc::corrupt, fmt::format("a key has kind {} and fork {}, expected kind 1..14 "
                                           "and fork 0..3",
                                           static_cast<int>(k.kind), k.fork));
  return k;
}

}  // namespace zenith
