// wal_stream: WAL as a sender may send it, whole or changed, decoded in any pieces.
#include "storage/wal/wal_source.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/guarded.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/wal_writer.hpp"

namespace {

using namespace zenith;
using namespace zenith::fuzz;

constexpr wal::wal_identity identity{system_identifier{0x0123456789ABCDEF}, 1024 * 1024};
// Five pages before a segment's end.
constexpr lsn first_page{0x10FB000 - 0x1000};
constexpr size_t wal_bytes_max = 256 * 1024;

struct stream {
  lsn start;
  lsn begin;
  bytes data;
  std::vector<wal_writer::placed> records;
  bool changed = false;
};

/// Makes the CRC of a record fit again that lies on one page.
void repair_crc(stream& s, const wal_writer::placed& record) {
  const size_t at = record.start - s.begin;
  if (at % page_size_bytes + record.size_bytes > page_size_bytes) return;
  if (at + record.size_bytes > s.data.size()) return;
  store(s.data.data() + at + 20, pg::record_crc(byte_view{s.data}.subspan(at, record.size_bytes)));
}

void change(stream& s, uint8_t what, input_reader& in) {
  if (s.data.empty()) return;
  s.changed = true;
  switch (what) {
    case 3:
      s.data[in.take<uint32_t>() % s.data.size()] ^= static_cast<std::byte>(in.take<uint8_t>());
      break;
    case 4: {  // somewhere in a page's header
      const size_t page_at = in.take<uint8_t>() * page_size_bytes % s.data.size();
      const size_t at = page_at + in.take<uint8_t>() % 40;
      if (at < s.data.size()) s.data[at] = static_cast<std::byte>(in.take<uint8_t>());
      break;
    }
    case 5: {  // somewhere in a record's header or near it
      const auto chosen = in.take<uint8_t>();
      const auto offset = in.take<uint8_t>() % 40;
      const auto value = static_cast<std::byte>(in.take<uint8_t>());
      if (s.records.empty()) break;
      const auto& record = s.records[chosen % s.records.size()];
      const size_t at = record.start - s.begin + offset;
      if (at < s.data.size()) s.data[at] = value;
      if (offset < 20 || offset >= 24) repair_crc(s, record);
      break;
    }
    case 6:
      s.data.resize(s.data.size() - in.take<uint16_t>() % s.data.size());
      break;
    default: {
      const auto more = in.take_bytes(in.take<uint8_t>());
      s.data.insert(s.data.end(), more.begin(), more.end());
      break;
    }
  }
}

/// u16 where it starts, in units of 8 bytes; then pieces, each of a u8 that says which it is.
stream make_stream(input_reader& in) {
  const lsn start = first_page + in.take<uint16_t>() % (2 * page_size_bytes / 8) * 8;
  wal_writer writer(identity, pg::past_page_header(start, identity.segment_size_bytes) == start
                                  ? start
                                  : pg::wal_page_start(start));
  const lsn first = writer.begin() + writer.data().size();
  stream s;
  while (!in.empty()) {
    const auto what = in.take<uint8_t>() % 8;
    if (what < 3 && writer.data().size() < wal_bytes_max) {
      const auto rmgr = in.take<uint8_t>(), info = in.take<uint8_t>();
      const auto size = in.take<uint16_t>() % 20000u >> (what == 0 ? 8 : 0);
      // The decoder knows a switch by its header; the rest of its segment would have to follow.
      const bool is_switch = rmgr % 22 == 0 && (info & 0xF0) == 0x40;
      const bytes body(size, static_cast<std::byte>(info));
      if (what == 2)
        writer.append_torn(rmgr % 22, body);
      else if (!is_switch)
        writer.append(rmgr % 22, info, body);
    } else if (what >= 3) {
      if (s.data.empty()) {
        s.data = writer.data();
        s.records = writer.records();
        s.begin = writer.begin();
      }
      change(s, static_cast<uint8_t>(what), in);
    }
  }
  if (!s.changed) {
    s.data = writer.data();
    s.records = writer.records();
  }
  s.begin = writer.begin();
  s.start = first;
  return s;
}

/// All that can be seen of a decoder.
struct outcome {
  std::vector<std::pair<lsn, lsn>> records;
  uint32_t crc = crc32c_start;  ///< over all records' bytes
  std::string failure;
  lsn position, last_record;
  bool at_zeros = false;

  bool operator==(const outcome&) const = default;
};

outcome decode(const stream& s, size_t piece_bytes) {
  outcome seen;
  wal::decoder decoder(identity, s.start, lsn{});
  static guarded_memory memory(2 * wal_bytes_max);
  for (size_t at = 0; at < s.data.size() && seen.failure.empty();) {
    const auto piece =
        memory.use(std::min({piece_bytes, s.data.size() - at, memory.capacity_bytes()}));
    std::copy_n(s.data.begin() + static_cast<ptrdiff_t>(at), piece.size(), piece.begin());
    demand(decoder.feed(s.begin + at, piece).has_value(), "what follows is taken");
    at += piece.size();
    for (;;) {
      const auto record = decoder.next();
      if (!record) seen.failure = record.error().message;
      if (!record || !*record) break;
      seen.records.emplace_back((*record)->start, (*record)->end);
      seen.crc = crc32c_feed(seen.crc, (*record)->bytes);
    }
  }
  seen.position = decoder.position();
  seen.last_record = decoder.last_record();
  seen.at_zeros = decoder.failed_at_zeros();
  return seen;
}

/// A stream as a source.
class stream_source final : public wal::wal_source {
 public:
  explicit stream_source(const stream& s) : s_(s) {}
  lsn begin() const override { return s_.begin; }
  lsn end() const override { return s_.begin + s_.data.size(); }
  result<void> read(lsn at, byte_span into) const override {
    if (at < begin() || at > end() || into.size() > end() - at)
      return fail(errc::out_of_range, "not there");
    std::copy_n(s_.data.begin() + static_cast<ptrdiff_t>(at - begin()), into.size(), into.begin());
    return {};
  }

 private:
  const stream& s_;
};

void run(input_reader& in) {
  const size_t piece_bytes = 1 + in.take<uint8_t>() * size_t{in.take<uint8_t>()};
  const uint64_t somewhere = in.take<uint16_t>();
  const auto s = make_stream(in);
  const auto whole = decode(s, s.data.size());
  const auto pieces = decode(s, s.data.size() / piece_bytes > 4096 ? 997 : piece_bytes);
  demand(whole == pieces, "the same outcome, whatever the pieces");
  if (!s.changed) {
    demand(whole.failure.empty(), "WAL as it must be is no error");
    demand(whole.records.size() == s.records.size(), "all of its records come out");
    for (size_t i = 0; i < s.records.size(); ++i)
      demand(whole.records[i].first == s.records[i].start, "each record where it was put");
  }
  if (s.data.empty()) return;
  const auto place =
      wal::locate_record(stream_source(s), identity, s.begin + somewhere * 8 % s.data.size());
  demand(!place || (place->start < place->end && place->previous < place->start),
         "a record lies before its end");
}

}  // namespace

// u8, u8: how large the pieces are; u16: an LSN to look for; then make_stream's.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  input_reader in(as_view(data, size));
  run(in);
  return 0;
}
