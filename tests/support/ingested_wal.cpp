// Ingests the WAL that a server wrote after its files were copied.
#include "tests/support/ingested_wal.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "storage/layers/ingestor.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {
namespace {

void check(const result<void>& done) {
  if (!done) throw std::runtime_error(done.error().message);
}

}  // namespace

layers::view ingested_wal::view_until(lsn at) const {
  return layers::view{{{layer, at}, {base.layer, at}}, base.cluster.base, at};
}

ingested_wal ingest_wal(const std::filesystem::path& base, const std::filesystem::path& wal,
                        uint32_t segment_size_bytes) {
  ingested_wal into;
  into.base = import_to_map(base);
  const backup::imported_cluster& cluster = into.base.cluster;
  into.identity = {cluster.system, segment_size_bytes};
  into.wal = std::make_unique<newest_timeline_wal>(wal, segment_size_bytes, cluster.last_record);
  const lsn until = into.wal->end();
  into.layer = std::make_shared<layers::memory_layer>(cluster.base);
  layers::ingestor ingestor{
      into.layer,
      {{into.base.layer, cluster.base}},
      [](const wal::raw_record& record, const error& cause) {
        throw std::runtime_error(fmt::format("{}: {}", to_string(record.start), cause.message));
      }};
  wal::decoder decoder{into.identity, cluster.base, cluster.last_record};
  bytes chunk;
  for (lsn at = pg::wal_page_start(cluster.base); at < until; at = at + chunk.size()) {
    chunk.resize(std::min<uint64_t>(until - at, 256 * 1024));
    check(into.wal->read(at, chunk));
    check(decoder.feed(at, chunk));
    auto next = decoder.next();
    for (; next && *next; next = decoder.next()) {
      check(ingestor.ingest(**next));
      into.records.push_back({(*next)->start, (*next)->end});
    }
    if (!next) break;  // what a new segment's file held before is the end
  }
  return into;
}

}  // namespace zenith::testing
