// Batches of transaction ends, written and read, every count and number checked.
#include "storage/layers/transaction_end.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/assert.hpp"

namespace zenith::layers {
namespace {

constexpr size_t header_bytes = 18;
constexpr unsigned varint_bytes_max = 10;
constexpr uint16_t records_before_known = 0x8000;

void put_varint(bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(std::byte(value | 0x80));
  out.push_back(std::byte(value));
}

uint64_t zigzag(uint64_t difference) {
  return difference << 1 ^ (difference >> 63 != 0 ? ~uint64_t{0} : 0);
}
uint64_t unzigzag(uint64_t value) { return value >> 1 ^ (value & 1 ? ~uint64_t{0} : 0); }

tl::unexpected<error> corrupt(std::string_view what, size_t offset) {
  return fail(errc::corrupt,
              fmt::format("a batch of transaction ends: {} at its byte {}", what, offset));
}

result<uint64_t> take_varint(byte_view encoded, size_t& at) {
  uint64_t value = 0;
  for (unsigned i = 0; i < varint_bytes_max; ++i) {
    if (at >= encoded.size()) return corrupt("it is cut short", at);
    const auto part = std::to_integer<uint64_t>(encoded[at++]);
    // The tenth byte has room for one bit.
    if (i == varint_bytes_max - 1 && part > 1) break;
    value |= (part & 0x7f) << (7 * i);
    if (part < 0x80) return value;
  }
  return corrupt("a number does not end", at);
}

struct batch_shape {
  uint16_t count = 0;
  bool has_records_before = false;
};

result<batch_shape> shape_of(byte_view encoded) {
  if (encoded.size() < header_bytes) return corrupt("it is cut short", encoded.size());
  const auto field = load<uint16_t>(encoded.data());
  const auto count = static_cast<uint16_t>(field & ~records_before_known);
  if (count == 0 || count > transaction_end_batch::ends_max)
    return corrupt(
        fmt::format("{} ends, expected 1 to {}", count, size_t{transaction_end_batch::ends_max}),
        0);
  return batch_shape{count, (field & records_before_known) != 0};
}

}  // namespace

int64_t transaction_end_batch::newest() const { return newest_time(lsn::max()); }

std::optional<transaction_end> transaction_end_batch::first_later_than(int64_t time_us,
                                                                       lsn until) const {
  for (const transaction_end& one : ends)
    if (one.time_us > time_us) return one.end <= until ? std::optional(one) : std::nullopt;
  return std::nullopt;
}

std::optional<transaction_end> transaction_end_batch::first_from(lsn from, lsn until) const {
  const auto found = std::ranges::lower_bound(ends, from, {}, &transaction_end::end);
  return found != ends.end() && found->end <= until ? std::optional(*found) : std::nullopt;
}

int64_t transaction_end_batch::newest_time(lsn until) const {
  int64_t newest = newest_before;
  for (const transaction_end& one : ends)
    if (one.end <= until) newest = std::max(newest, one.time_us);
  return newest;
}

bytes encode_transaction_ends(int64_t newest_before, std::span<const transaction_end> ends) {
  ZENITH_ASSERT(!ends.empty() && ends.size() <= transaction_end_batch::ends_max);
  bytes out(header_bytes);
  int64_t newest = newest_before;
  transaction_end before;
  const bool has_records_before =
      std::ranges::any_of(ends, [](const transaction_end& one) { return one.previous.is_valid(); });
  for (const transaction_end& one : ends) {
    ZENITH_ASSERT(one.start >= before.end && one.end > one.start);
    ZENITH_ASSERT(one.previous < one.start || !one.previous.is_valid());
    newest = std::max(newest, one.time_us);
    put_varint(out,
               zigzag(static_cast<uint64_t>(one.time_us) - static_cast<uint64_t>(before.time_us)));
    put_varint(out, one.start - before.end);
    put_varint(out, one.end - one.start);
    if (has_records_before)
      put_varint(out, one.previous.is_valid() ? one.start - one.previous : uint64_t{0});
    before = one;
  }
  store(out.data(),
        static_cast<uint16_t>(ends.size() | (has_records_before ? records_before_known : 0u)));
  store(out.data() + 2, newest_before);
  store(out.data() + 10, newest);
  return out;
}

result<transaction_end_batch> decode_transaction_ends(byte_view encoded) {
  ZENITH_TRY_ASSIGN(const batch_shape shape, shape_of(encoded));
  transaction_end_batch batch;
  batch.newest_before = load<int64_t>(encoded.data() + 2);
  batch.ends.reserve(shape.count);
  size_t at = header_bytes;
  transaction_end before;
  for (unsigned i = 0; i < shape.count; ++i) {
    const size_t begin = at;
    ZENITH_TRY_ASSIGN(const uint64_t time, take_varint(encoded, at));
    ZENITH_TRY_ASSIGN(const uint64_t gap, take_varint(encoded, at));
    ZENITH_TRY_ASSIGN(const uint64_t length, take_varint(encoded, at));
    const uint64_t room = ~before.end.value();
    if (length == 0 || gap > room || length > room - gap)
      return corrupt("an LSN that cannot be", begin);
    transaction_end one;
    one.time_us = static_cast<int64_t>(static_cast<uint64_t>(before.time_us) + unzigzag(time));
    one.start = before.end + gap;
    one.end = one.start + length;
    if (shape.has_records_before) {
      ZENITH_TRY_ASSIGN(const uint64_t back, take_varint(encoded, at));
      if (back >= one.start.value() && back != 0)
        return corrupt("a record before it that begins nowhere", begin);
      if (back != 0) one.previous = one.start - back;
    }
    batch.ends.push_back(one);
    before = one;
  }
  if (at != encoded.size()) return corrupt("there is more behind its last end", at);
  if (const auto newest = load<int64_t>(encoded.data() + 10); newest != batch.newest())
    return corrupt(fmt::format("its newest time is {}, its ends give {}", newest, batch.newest()),
                   10);
  return batch;
}

result<std::optional<bytes>> until_lsn(byte_view encoded, lsn until) {
  ZENITH_TRY_ASSIGN(auto batch, decode_transaction_ends(encoded));
  if (batch.ends.back().end <= until) return std::nullopt;
  while (batch.ends.size() > 1 && batch.ends.back().end > until) batch.ends.pop_back();
  return encode_transaction_ends(batch.newest_before, batch.ends);
}

result<int64_t> newest_time_of(byte_view encoded) {
  ZENITH_TRY(shape_of(encoded));
  return load<int64_t>(encoded.data() + 10);
}

}  // namespace zenith::layers
