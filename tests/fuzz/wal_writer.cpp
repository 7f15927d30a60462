// wal_writer: records over pages. Source of the rules: xlog.c, CopyXLogRecordToWAL.
#include "tests/fuzz/wal_writer.hpp"

namespace zenith::fuzz {

wal_writer::wal_writer(wal::wal_identity identity, lsn start)
    : wal_writer(identity, start, pg::wal_page_start(start) - 8, pg_timeline{1}) {}

wal_writer::wal_writer(wal::wal_identity identity, lsn start, lsn previous, pg_timeline number)
    : identity_(identity), begin_(pg::wal_page_start(start)), previous_(previous), number_(number) {
  if (start == begin_) return;
  begin_page(0, 0);
  out_.resize(std::max<size_t>(start - begin_, out_.size()));
}

void wal_writer::begin_page(uint32_t remaining_bytes, uint16_t more_flags) {
  auto header = pg::encode_page_header(end(), number_, remaining_bytes, identity_.system,
                                       identity_.segment_size_bytes);
  store(header.data() + 2, static_cast<uint16_t>(load<uint16_t>(header.data() + 2) | more_flags));
  out_.insert(out_.end(), header.begin(), header.end());
}

lsn wal_writer::begin_record() {
  out_.resize((out_.size() + 7) & ~size_t{7});
  if (out_.size() % page_size_bytes == 0) begin_page(0, 0);
  return end();
}

bytes wal_writer::make(uint8_t rmgr, uint8_t info, byte_view body, uint32_t xid) const {
  pg::wal_record_header header{
      .total_length_bytes = static_cast<uint32_t>(sizeof(pg::wal_record_header) + body.size()),
      .xid = xid,
      .previous = previous_.value(),
      .info = info,
      .rmgr = rmgr};
  bytes raw(sizeof(header));
  raw.insert(raw.end(), body.begin(), body.end());
  std::memcpy(raw.data(), &header, sizeof(header));
  header.crc = pg::record_crc(raw);
  std::memcpy(raw.data(), &header, sizeof(header));
  return raw;
}

void wal_writer::put(byte_view raw) {
  while (true) {
    const byte_view part = raw.first(std::min(raw.size(), left_in_page()));
    out_.insert(out_.end(), part.begin(), part.end());
    raw = raw.subspan(part.size());
    if (raw.empty()) return;
    begin_page(static_cast<uint32_t>(raw.size()), 0);
  }
}

void wal_writer::append(uint8_t rmgr, uint8_t info, byte_view body, uint32_t xid) {
  const lsn start = begin_record();
  const bytes raw = make(rmgr, info, body, xid);
  put(raw);
  records_.push_back({start, raw.size()});
  previous_ = start;
}

void wal_writer::append_torn(uint8_t rmgr, byte_view body) {
  const lsn start = begin_record();
  const bytes raw = make(rmgr, 0, body, 0);
  if (raw.size() <= left_in_page()) return;
  put(byte_view{raw}.first(left_in_page()));
  begin_page(0, pg::wal_page_first_is_overwrite_contrecord);
  // XLOG_OVERWRITE_CONTRECORD: a short block of main data, the torn record's LSN, and the time.
  bytes stands_in(18);
  stands_in[0] = std::byte{255};
  stands_in[1] = std::byte{16};
  store(stands_in.data() + 2, start.value());
  append(0, 0xD0, stands_in);
}

}  // namespace zenith::fuzz
