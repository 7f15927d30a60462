// The WAL that a new server finds.
#include "storage/backup/wal_seam.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "storage/base/assert.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::backup {

lsn record_start_at(lsn at, const wal::wal_identity& identity) {
  return pg::past_page_header(at.aligned(), identity.segment_size_bytes);
}

lsn record_end(lsn start, uint32_t length_bytes, const wal::wal_identity& identity) {
  lsn at = start;
  uint64_t left = length_bytes;
  while (true) {
    const uint64_t room = pg::wal_page_start(at) + page_size_bytes - at;
    if (left <= room) return (at + left).aligned();
    left -= room;
    at = pg::past_page_header(at + room, identity.segment_size_bytes);
  }
}

wal_piece lay_out_record(lsn at, byte_view record, pg_timeline timeline,
                         const wal::wal_identity& identity) {
  wal_piece piece{at.aligned(), {}};
  const auto here = [&] { return piece.at + piece.data.size(); };
  bool begun = false;
  while (!record.empty()) {
    if (pg::wal_page_start(here()) == here()) {
      const auto remaining = begun ? static_cast<uint32_t>(record.size()) : 0;
      const bytes header = pg::encode_page_header(here(), timeline, remaining, identity.system,
                                                  identity.segment_size_bytes);
      piece.data.insert(piece.data.end(), header.begin(), header.end());
    }
    const uint64_t room = pg::wal_page_start(here()) + page_size_bytes - here();
    const byte_view part = record.first(std::min<uint64_t>(room, record.size()));
    piece.data.insert(piece.data.end(), part.begin(), part.end());
    record = record.subspan(part.size());
    begun = true;
  }
  return piece;
}

std::vector<wal_piece> stand_in_for_lost_wal(lsn at, pg_timeline timeline,
                                             const wal::wal_identity& identity) {
  const uint32_t segment_size = identity.segment_size_bytes;
  const lsn segment = pg::segment_start(at, segment_size);
  const lsn page = pg::wal_page_start(at);
  std::vector<wal_piece> pieces;
  if (at == segment) return pieces;
  const auto header_of = [&](lsn page_start) {
    const uint64_t after_header =
        std::min(page_start + pg::page_header_size_bytes(page_start, segment_size), at).value();
    const auto rest = page_start == page ? static_cast<uint32_t>(at.value() - after_header) : 0;
    return pg::encode_page_header(page_start, timeline, rest, identity.system, segment_size);
  };
  pieces.push_back({segment, header_of(segment)});
  if (page != segment && at != page) pieces.push_back({page, header_of(page)});
  return pieces;
}

namespace {

// Writes segment files from pieces that come in the order of their LSNs; fills gaps with zeros.
class segment_writer {
 public:
  segment_writer(const wal_seam& seam, backup_sink& sink) : seam_(seam), sink_(sink) {}

  result<void> write(lsn at, byte_view data) {
    while (!data.empty()) {
      ZENITH_TRY(advance(at));
      const uint64_t room = end_ - position_;
      const byte_view part = data.first(std::min<uint64_t>(room, data.size()));
      ZENITH_TRY(sink_.write(part));
      position_ = position_ + part.size();
      at = position_;
      data = data.subspan(part.size());
    }
    return {};
  }

  result<void> finish() {
    if (!open_) return {};
    ZENITH_TRY(sink_.write_zeros(end_ - position_));
    open_ = false;
    return sink_.end_file();
  }

 private:
  result<void> advance(lsn at) {
    if (open_ && at >= end_) ZENITH_TRY(finish());
    if (!open_) {
      const uint32_t size = seam_.identity.segment_size_bytes;
      position_ = pg::segment_start(at, size);
      end_ = position_ + size;
      const std::string name =
          pg::segment_file_name(seam_.timeline, position_.value() / size, size);
      ZENITH_TRY(sink_.begin_file("pg_wal/" + name, owner_file_mode, size));
      open_ = true;
    }
    ZENITH_ASSERT(at >= position_);
    ZENITH_TRY(sink_.write_zeros(at - position_));
    position_ = at;
    return {};
  }

  const wal_seam& seam_;
  backup_sink& sink_;
  bool open_ = false;
  lsn position_;
  lsn end_;
};

// The first LSN of from's segment from which on the source's own bytes can be given: a page's
// start, so that no page is half true. `from` itself where there is none.
lsn first_true_byte(const wal_seam& seam, const wal::wal_source* source) {
  if (source == nullptr || source->end() < seam.from) return seam.from;
  const lsn page = pg::wal_page_start(source->begin() + (page_size_bytes - 1));
  const lsn first = std::max(page, pg::segment_start(seam.from, seam.identity.segment_size_bytes));
  return first <= pg::wal_page_start(seam.from) ? first : seam.from;
}

// The same, where the source has these bytes no more.
result<lsn> first_kept_byte(const wal_seam& seam, const wal::wal_source* source) {
  const lsn first = first_true_byte(seam, source);
  if (first >= seam.from) return first;
  bytes probe(std::min<uint64_t>(seam.from - first, pg::short_page_header_size_bytes));
  const auto read = source->read(first, probe);
  if (!read && read.error().code == errc::out_of_range) return seam.from;
  ZENITH_TRY(read);
  return first;
}

// The pg_timeline of stand-ins before `first`: that of the first true page after it, for a reader
// refuses a page whose pg_timeline is lower than that of one before (XLogReaderValidatePageHeader).
result<pg_timeline> timeline_of_stand_ins(lsn first, const wal_seam& seam,
                                          const wal::wal_source* source) {
  const lsn page = pg::wal_page_start(first + (page_size_bytes - 1));
  if (page + pg::short_page_header_size_bytes > seam.until) return seam.timeline;
  bytes data(pg::short_page_header_size_bytes);
  ZENITH_TRY(source->read(page, data));
  pg::wal_page_header header;
  std::memcpy(&header, data.data(), sizeof header);
  const bool is_header = header.magic == pg::wal_page_magic && header.address == page.value();
  return is_header ? pg_timeline{header.timeline} : seam.timeline;
}

}  // namespace

result<void> write_wal(const wal_seam& seam, const wal::wal_source* source, backup_sink& sink) {
  ZENITH_TRY_ASSIGN(const lsn first, first_kept_byte(seam, source));
  if (seam.until > first &&
      (source == nullptr || source->begin() > first || source->end() < seam.until))
    return fail(errc::out_of_range,
                fmt::format("the WAL from {} to {} is not kept, and the server needs it to start "
                            "there; choose a later point",
                            to_string(first), to_string(seam.until)));
  segment_writer writer{seam, sink};
  ZENITH_TRY_ASSIGN(const pg_timeline before, timeline_of_stand_ins(first, seam, source));
  for (const wal_piece& piece : stand_in_for_lost_wal(first, before, seam.identity))
    ZENITH_TRY(writer.write(piece.at, piece.data));
  bytes buffer;
  for (lsn at = first; at < seam.until; at = at + buffer.size()) {
    buffer.resize(std::min<uint64_t>(seam.until - at, 256 * 1024));
    ZENITH_TRY(source->read(at, buffer));
    ZENITH_TRY(writer.write(at, buffer));
  }
  ZENITH_TRY(writer.write(seam.appended.at, seam.appended.data));
  return writer.finish();
}

}  // namespace zenith::backup
