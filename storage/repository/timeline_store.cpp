// One open timeline: opening it, appending WAL, and what it answers.
#include "storage/repository/timeline_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/wal/chained_source.hpp"

namespace zenith::repository {
namespace {

constexpr uint64_t read_chunk_bytes = 1 << 20;

std::vector<wal::timeline_switch> switches_of(const timeline_metadata& metadata) {
  std::vector<wal::timeline_switch> all;
  for (const pg_timeline_start& one : metadata.pg_timelines) all.push_back({one.number, one.start});
  return all;
}

}  // namespace

lsn without_page_header(lsn at, uint32_t segment_size_bytes) {
  const lsn page = pg::wal_page_start(at);
  return at - page <= pg::page_header_size_bytes(page, segment_size_bytes) ? page : at;
}

timeline_store::timeline_store(parameters& how)
    : files_(how.files),
      directory_(std::move(how.directory)),
      metadata_(std::move(how.metadata)),
      is_root_(how.parent == nullptr),
      parent_wal_(is_root_ ? nullptr : how.parent->wal),
      cache_(std::move(how.cache)),
      histories_(is_root_ ? layers::root_histories()
                          : layers::child_histories(how.parent->histories, metadata_.start)),
      on_failure_(std::move(how.on_failure)),
      on_image_problem_(std::move(how.on_image_problem)) {}

timeline_store::~timeline_store() = default;

wal::wal_identity timeline_store::identity() const {
  return {metadata_.system, metadata_.segment_size_bytes};
}

result<std::unique_ptr<timeline_store>> timeline_store::open(parameters how) {
  if (how.metadata.ancestor.has_value() != (how.parent != nullptr))
    return fail(errc::invalid_argument,
                "timeline " + to_string(how.metadata.id) + " is opened without its parent");
  std::unique_ptr<timeline_store> store(new timeline_store(how));
  ZENITH_TRY(store->open_layers(how));
  ZENITH_TRY(store->open_wal());
  ZENITH_TRY(store->read_wal(how.has_to_write));
  return store;
}

result<void> timeline_store::open_layers(parameters& how) {
  layers::layer_store::parameters layers;
  layers.files = files_;
  layers.directory = directory_;
  layers.id = metadata_.id;
  // A root's base ends with the record of a clean stop.
  layers.start = {metadata_.start, metadata_.start_previous_record, is_root_};
  layers.readable_from = is_root_ ? metadata_.start : how.parent->from;
  if (!is_root_) layers.inherited = how.parent->layers;
  layers.registry = std::move(how.registry);
  if (!layers.registry)
    layers.registry = std::make_shared<layers::layer_files>(*files_, directory_.parent_path(),
                                                            layers::layer_files::limits{});
  layers.checksums = checksums();
  layers.limits = how.limits;
  ZENITH_TRY_ASSIGN(layers_, layers::layer_store::open(std::move(layers)));
  oldest_ = layers_->recorded().readable_from;
  since_ = is_root_ ? metadata_.created_at : how.parent->since;
  keep_ = std::move(how.keep);
  needed_ = std::move(how.needed);
  ingestor_ =
      std::make_unique<layers::ingestor>(layers_->open_layer(), layers_->below_open(), on_failure_);
  if (on_image_problem_) ingestor_->check_images(on_image_problem_);
  return {};
}

result<void> timeline_store::open_wal() {
  wal::wal_directory::parameters how;
  how.files = files_;
  how.directory = directory_ / "wal";
  how.identity = identity();
  const layers::wal_place& known = layers_->disk_consistent();
  how.scan_from = how.known_durable = known.at;
  how.scan_previous = known.last_record;
  how.history = switches_of(metadata_);
  if (is_root_) {
    // A root keeps the record that its base ends with: a server can start from it.
    how.start = metadata_.start_previous_record;
  } else {
    how.start = metadata_.start;
    how.previous = metadata_.start_previous_record;
    how.before = parent_wal_;
  }
  ZENITH_TRY_ASSIGN(auto opened, wal::wal_directory::open(std::move(how)));
  wal_ = std::move(opened);
  all_wal_ = wal_;
  if (!is_root_)
    all_wal_ = std::make_shared<wal::chained_wal_source>(parent_wal_, metadata_.start, wal_);
  return {};
}

result<void> timeline_store::read_wal(const std::function<bool(uint64_t)>& has_to_write) {
  const lsn until = wal_->end();
  const layers::wal_place& known = layers_->disk_consistent();
  end_ = known.at;
  last_record_ = known.last_record;
  last_is_shutdown_checkpoint_ = known.ends_with_shutdown_checkpoint;
  decoder_ = std::make_unique<wal::decoder>(decoder_from(end_, last_record_));
  bytes chunk;
  for (lsn at = known.at; at < until; at = at + chunk.size()) {
    chunk.resize(std::min<uint64_t>(read_chunk_bytes, until - at));
    ZENITH_TRY(wal_->read(at, chunk));
    ZENITH_TRY(decoder_->feed(at, chunk));
    ZENITH_TRY(ingest_whole_records());
    const bool is_full = layers_->is_full();
    if (!is_full &&
        !(has_to_write && has_to_write(layers_->open_bytes() + layers_->frozen_bytes())))
      continue;
    // Where that fails it is tried again once the timeline is open; reads go on meanwhile, as long
    // as no more waits in memory than an open timeline has there.
    const bool was_behind = layers_->is_behind();
    if (auto written = write_open_layer();
        !written && is_full && (was_behind || layers_->is_full()))
      return written;
  }
  return {};
}

// Nobody else writes layers while the timeline is opened, and what is read may be more than fits
// into memory. A child that waits for its parent has only what it took in since it was made.
result<void> timeline_store::write_open_layer() {
  ZENITH_TRY(freeze());
  while (const auto job = layers_->next_write()) {
    auto written = job->run();
    if (!written) layers_->abandon(*job);
    ZENITH_TRY(written);
    ZENITH_TRY(layers_->install(*job, *written));
    layers_changed();
  }
  return {};
}

result<void> timeline_store::ingest_whole_records() {
  for (;;) {
    ZENITH_TRY_ASSIGN(const auto record, decoder_->next());
    if (!record) return {};
    const auto header = load<pg::wal_record_header>(record->bytes.data());
    ZENITH_TRY(ingestor_->ingest(*record));
    end_ = record->end;
    last_record_ = record->start;
    last_is_shutdown_checkpoint_ = header.is_shutdown_checkpoint();
  }
}

lsn timeline_store::received() const { return std::max(end(), wal_->end()); }
lsn timeline_store::synced() const { return wal_->durable_until(); }
lsn timeline_store::durable() const { return std::min(end(), wal_->durable_until()); }

result<lsn> timeline_store::begin_stream() {
  if (lost_) return tl::unexpected<error>(*lost_);
  if (auto ended = end_wal_here(); !ended) {
    // What is to go may still be there, and nothing tells it from what counts.
    if (ended.error().code == errc::io) lost_ = ended.error();
    return tl::unexpected<error>(ended.error());
  }
  decoder_ = std::make_unique<wal::decoder>(decoder_from(end_, last_record_));
  return end_;
}

result<void> timeline_store::end_wal_here() {
  if (wal_->end() > end_) ZENITH_TRY(wal_->rewind(end_));
  // A record that switches segments ends with its segment, whose rest is no WAL: zeros do.
  if (wal_->end() < end_) ZENITH_TRY(wal_->append(wal_->end(), bytes(end_ - wal_->end())));
  return {};
}

wal::decoder timeline_store::decoder_from(lsn start, lsn previous) const {
  return {identity(), start, previous, switches_of(metadata_)};
}

result<void> timeline_store::append(lsn at, byte_view data) {
  auto appended = append_in_segments(at, data);
  if (!appended && appended.error().code == errc::io) lost_ = appended.error();
  // What was refused is no WAL that anybody waits for, nor may it be found after a restart. Where
  // it cannot be removed now, the next begin_stream() says why not.
  if (!appended) static_cast<void>(begin_stream());
  return appended;
}

// A segment is made only when all before it was taken in: a file that follows bad WAL would speak
// for damage.
result<void> timeline_store::append_in_segments(lsn at, byte_view data) {
  ZENITH_TRY(check_follows(at, data));
  while (!data.empty()) {
    const uint64_t left = metadata_.segment_size_bytes - at.value() % metadata_.segment_size_bytes;
    const byte_view here = data.first(std::min<uint64_t>(left, data.size()));
    ZENITH_TRY(wal_->append(at, here));
    ZENITH_TRY(decoder_->feed(at, here));
    ZENITH_TRY(ingest_whole_records());
    data = data.subspan(here.size());
    at = at + here.size();
  }
  return {};
}

result<void> timeline_store::check_follows(lsn at, byte_view data) const {
  const lsn expected = wal_->end();
  if (at == expected) return {};
  const std::string both =
      fmt::format("WAL came from {}, expected it from {}", to_string(at), to_string(expected));
  if (at > expected)
    return fail(errc::invalid_argument,
                fmt::format("{}: {} bytes are left out", both, at - expected));
  // The WAL files tell a stream that only repeats from one that goes back on what it said.
  bytes held(std::min<uint64_t>(data.size(), expected - at));
  if (!all_wal_->read(at, held))
    return fail(errc::invalid_argument, both + ": it repeats what came long before");
  const auto differs = std::ranges::mismatch(held, data.first(held.size())).in1;
  if (differs == held.end())
    return fail(errc::invalid_argument, both + ": it repeats what came before");
  const auto offset = static_cast<size_t>(differs - held.begin());
  return fail(errc::conflict,
              fmt::format("{}: it repeats what came before with other bytes, at {} {:02X} and not "
                          "{:02X}",
                          both, to_string(at + offset), static_cast<unsigned>(data[offset]),
                          static_cast<unsigned>(held[offset])));
}

result<lsn> timeline_store::sync() {
  // What a failed sync lost is not durable because the next one finds nothing to do.
  if (lost_) return tl::unexpected<error>(*lost_);
  if (auto synced = wal_->sync(); !synced) {
    lost_ = synced.error();
    return tl::unexpected<error>(*lost_);
  }
  return durable();
}

// What a promoted server wrote lies in other files, and is taken only while it runs.
result<void> timeline_store::check_not_promoted(const path& pg_wal) const {
  auto entries = files_->list(pg_wal);
  if (!entries && entries.error().code == errc::not_found) return {};
  if (!entries) return tl::unexpected<error>(entries.error());
  for (const directory_entry& entry : *entries) {
    uint32_t number = 0;
    const char* const name = entry.name.data();
    const auto [end, failure] = std::from_chars(name, name + entry.name.size(), number, 16);
    if (failure != std::errc{} || std::string_view(end) != ".history" ||
        number <= static_cast<uint32_t>(metadata_.current_pg_timeline()))
      continue;
    return fail(errc::conflict,
                fmt::format("{} shows that the server went on as pg_timeline {}, expected {}: "
                            "start it, so that it is followed there",
                            (pg_wal / entry.name).string(), number,
                            static_cast<uint32_t>(metadata_.current_pg_timeline())));
  }
  return {};
}

result<bool> timeline_store::drain(const path& pg_wal) {
  const uint32_t segment_size = metadata_.segment_size_bytes;
  ZENITH_TRY(check_not_promoted(pg_wal));
  const lsn at = received();
  const path name = pg_wal / pg::segment_file_name(metadata_.current_pg_timeline(),
                                                   at.value() / segment_size, segment_size);
  auto segment = files_->open(name, open_mode::read);
  if (!segment && segment.error().code == errc::not_found) return false;
  if (!segment) return tl::unexpected<error>(segment.error());
  const uint64_t offset = at.value() % segment_size;
  bytes rest(segment_size - offset);
  ZENITH_TRY((*segment)->read(offset, rest));
  auto appended = append(at, rest);
  // What follows the server's last record is zeros, or an older file's contents: the end.
  if (!appended && appended.error().code == errc::corrupt) return false;
  if (!appended) return tl::unexpected<error>(appended.error());
  return true;
}

result<void> timeline_store::switch_pg_timeline(const timeline_metadata& updated) {
  ZENITH_TRY(begin_stream());
  ZENITH_TRY(wal_->switch_timeline(updated.current_pg_timeline(), end()));
  metadata_ = updated;
  return {};
}

}  // namespace zenith::repository
