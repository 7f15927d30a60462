// Opening a timeline's layers, freezing them, and making what jobs wrote count.
#include "storage/layers/layer_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/assert.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"

namespace zenith::layers {
namespace {

/// So many layers wait to be written before who sends WAL has to wait: the one that is being
/// written, and the next one.
constexpr size_t frozen_max = 2;

/// The frozen layer's own list, newest first, as maps hold it.
std::vector<unknown_state> unknowns_of(const memory_layer& frozen) {
  std::vector<unknown_state> all;
  for (const unknown_state* one = frozen.unknown(); one != nullptr; one = one->next)
    if (one->at <= frozen.published()) all.push_back({one->keys, one->at, one->why, nullptr});
  return all;
}

void add(std::vector<layer_reference>& to, const std::vector<layer_reference>& from, lsn until) {
  for (const layer_reference& one : from)
    to.push_back({one.data, std::min(one.until, until), one.after});
}

}  // namespace

layer_store::layer_store(parameters how) : how_(std::move(how)) {}

result<std::unique_ptr<layer_store>> layer_store::open(parameters how) {
  std::unique_ptr<layer_store> store(new layer_store(std::move(how)));
  ZENITH_TRY(store->load());
  ZENITH_TRY(store->remove_leftovers());
  return store;
}

result<void> layer_store::load() {
  auto there = read_manifest(*how_.files, how_.directory);
  if (!there && there.error().code != errc::not_found) return tl::unexpected(there.error());
  has_manifest_ = there.has_value();
  if (has_manifest_) {
    recorded_ = std::move(*there);
    // Files that it does not name may be removed from now on: it has to be the one that stays.
    ZENITH_TRY(how_.files->sync_directory(how_.directory));
  } else {
    ZENITH_TRY(begin_without_manifest());
  }
  how_.inherited.reset();
  if (recorded_.disk_consistent < how_.start.at)
    return fail(errc::corrupt,
                fmt::format("{}: all up to {} is in files, expected {} or later",
                            (how_.directory / manifest_name).string(),
                            to_string(recorded_.disk_consistent), to_string(how_.start.at)));
  consistent_ = {recorded_.disk_consistent, recorded_.last_record,
                 recorded_.ends_with_shutdown_checkpoint};
  next_number_ = std::make_shared<std::atomic<uint64_t>>(recorded_.next_number);
  open_ = std::make_shared<memory_layer>(consistent_.at);
  refresh_map_layers();
  return {};
}

result<void> layer_store::begin_without_manifest() {
  recorded_.disk_consistent = how_.start.at;
  recorded_.last_record = how_.start.last_record;
  recorded_.ends_with_shutdown_checkpoint = how_.start.ends_with_shutdown_checkpoint;
  recorded_.readable_from = how_.readable_from;
  if (how_.inherited) {
    // A history begins with a base image: nothing at all would read as a database without tables.
    if (how_.inherited->map.slices() == 0 && how_.inherited->memory.empty())
      return fail(errc::invalid_argument,
                  fmt::format("{} has no manifest, and nothing is known of what it inherits",
                              how_.directory.string()));
    recorded_.map = std::move(how_.inherited->map);
    inherited_memory_ = std::move(how_.inherited->memory);
    return {};
  }
  std::vector<layer_map::level> levels(layer_map::level_count);
  ZENITH_TRY_ASSIGN(layer_slice base, base_image());
  levels.back().push_back(std::move(base));
  ZENITH_TRY_ASSIGN(recorded_.map, layer_map::make(std::move(levels), {}));
  return {};
}

result<layer_slice> layer_store::base_image() const {
  layer_slice slice;
  slice.file.name = {how_.id, 0, layer_kind::image};
  const path name = how_.directory / "layers" / file_name_of(slice.file.name);
  ZENITH_TRY_ASSIGN(const auto image, image_layer::open(*how_.files, name));
  if (image->at() != how_.start.at)
    return fail(errc::corrupt,
                fmt::format("{}: the base image is of {}, expected {}", name.string(),
                            to_string(image->at()), to_string(how_.start.at)));
  ZENITH_TRY_ASSIGN(const auto opened, how_.files->open(name, open_mode::read));
  ZENITH_TRY_ASSIGN(slice.file.size_bytes, opened->size_bytes());
  slice.file.first_key = key::control();
  slice.file.last_key = key::transaction_ends(UINT64_MAX);
  slice.file.after = slice.file.last = image->at();
  slice.file.entries = slice.file.keys = image->entries();
  slice.first = slice.file.first_key;
  slice.last = slice.file.last_key;
  slice.until = image->at();
  return slice;
}

result<void> layer_store::remove_leftovers() {
  // What an interrupted replacement of the manifest left (write_file_durably).
  auto removed = how_.files->remove(how_.directory / (std::string(manifest_name) + "~"));
  if (!removed && removed.error().code != errc::not_found) return removed;
  const path folder = how_.directory / "layers";
  const auto entries = how_.files->list(folder);
  if (!entries && entries.error().code == errc::not_found) return {};
  if (!entries) return tl::unexpected(entries.error());
  bool any = false;
  for (const directory_entry& entry : *entries) {
    const std::optional<layer_name> name = parse_file_name(how_.id, entry.name);
    if (entry.is_directory || (name && name->number < recorded_.next_number)) continue;
    ZENITH_TRY(how_.files->remove(folder / entry.name));
    any = true;
  }
  if (!any) return {};
  return how_.files->sync_directory(folder);
}

std::vector<layer_reference> layer_store::layers(lsn until) const {
  std::vector<layer_reference> all{{open_, until, open_->start()}};
  add(all, below_open(), until);
  return all;
}

std::vector<layer_reference> layer_store::below_open() const {
  std::vector<layer_reference> all;
  for (auto one = frozen_.rbegin(); one != frozen_.rend(); ++one)
    all.push_back({one->data, one->end.at, one->data->start()});
  add(all, inherited_memory_, lsn::max());
  add(all, map_layers_, lsn::max());
  return all;
}

inherited_layers layer_store::inherited_at(lsn at) const {
  inherited_layers shared;
  shared.map = recorded_.map.capped(at);
  shared.map.layers(*how_.registry);  // its files are in use from now on
  // Nothing is ever written of an empty one: a child would wait for that for ever.
  if (at > open_->start() && !open_->is_empty())
    shared.memory.push_back({open_, at, open_->start()});
  for (auto one = frozen_.rbegin(); one != frozen_.rend(); ++one)
    if (at > one->data->start())
      shared.memory.push_back({one->data, std::min(one->end.at, at), one->data->start()});
  add(shared.memory, inherited_memory_, at);
  return shared;
}

void layer_store::inherit(const inherited_layers& again, lsn readable_from) {
  if (has_manifest_) return;
  recorded_.readable_from = std::max(recorded_.readable_from, readable_from);
  recorded_.map = again.map;
  inherited_memory_ = again.memory;
  refresh_map_layers();
}

bool layer_store::waits_for_parent() const { return !inherited_memory_.empty(); }

size_t layer_store::open_bytes() const { return open_->size_bytes(); }

size_t layer_store::frozen_bytes() const {
  size_t all = 0;
  for (const frozen_layer& one : frozen_) all += one.data->size_bytes();
  return all;
}

bool layer_store::is_full() const { return open_bytes() >= how_.limits.open_layer_bytes; }

bool layer_store::is_behind() const {
  if (frozen_.size() >= frozen_max) return true;
  // What is inherited is merged only after the first write, which must not have to wait for that.
  return has_manifest_ && recorded_.map.levels().front().size() >= how_.limits.level0_max &&
         level0_merge_is_due(recorded_.map, how_.limits, how_.id, unreadable_);
}

bool layer_store::freeze(const wal_place& end) {
  ZENITH_ASSERT(end.at >= open_->published());
  if (open_->is_empty()) return false;
  frozen_.push_back({std::move(open_), end});
  open_ = std::make_shared<memory_layer>(end.at);
  return true;
}

layer_output layer_store::output() const {
  return {how_.registry, how_.id, next_number_, how_.checksums};
}

std::optional<layer_store::write_job> layer_store::next_write() {
  if (writing_ || frozen_.empty() || waits_for_parent()) return std::nullopt;
  writing_ = next_number_->load();
  return write_job{frozen_.front().data, output(), how_.limits};
}

result<std::optional<layer_store::merge_job>> layer_store::next_merge(const retention& keep,
                                                                      bool collect) {
  if (merging_ || !has_manifest_) return std::nullopt;
  const retention kept = kept_by_all(keep);
  ZENITH_TRY_ASSIGN(auto plan,
                    pick_compaction(recorded_.map, *how_.registry, how_.limits, kept, how_.id,
                                    collect ? collecting::yes : collecting::no, unreadable_));
  if (!plan) return std::nullopt;
  merging_ = next_number_->load();
  return merge_job{std::move(*plan), recorded_.map, kept, output(), how_.limits};
}

// A copy that is in memory only reads its source as it was after disk_consistent.
retention layer_store::kept_by_all(const retention& keep) const {
  retention kept = with_points(keep, recorded_.map.copied_at());
  kept.horizon = std::min({keep.horizon, recorded_.readable_from, consistent_.at});
  std::erase_if(kept.points, [&](lsn at) { return at >= kept.horizon; });
  kept.known_from = recorded_.readable_from;
  return kept;
}

result<void> layer_store::install(const write_job& job, const written_layers& written) {
  ZENITH_ASSERT(writing_ && !frozen_.empty() && frozen_.front().data == job.frozen);
  const uint64_t first = *std::exchange(writing_, std::nullopt);
  const wal_place end = frozen_.front().end;
  manifest changed = recorded_;
  ZENITH_ASSERT(written.files.size() <= 1);
  changed.map = changed.map.with_flushed(written.files, unknowns_of(*job.frozen), end.at);
  changed.disk_consistent = end.at;
  changed.last_record = end.last_record;
  changed.ends_with_shutdown_checkpoint = end.ends_with_shutdown_checkpoint;
  changed.wal_bytes = end.at - how_.start.at;
  changed.flushed_bytes += written.bytes_written;
  ZENITH_TRY(record_job(std::move(changed), first));
  consistent_ = end;
  frozen_.pop_front();
  return {};
}

result<void> layer_store::install(const merge_job& job, const written_layers& written) {
  ZENITH_ASSERT(merging_);
  const uint64_t first = *std::exchange(merging_, std::nullopt);
  for (const unreadable_part& one : written.unreadable) unreadable_.add(one);
  if (!written.unreadable.empty()) return {};
  manifest changed = recorded_;
  ZENITH_TRY_ASSIGN(changed.map,
                    changed.map.with_compacted(job.plan.inputs, job.plan.first, job.plan.last,
                                               written.files, job.plan.output_level));
  changed.merged_bytes += written.bytes_written;
  return record_job(std::move(changed), first);
}

void layer_store::abandon(const write_job&) { writing_.reset(); }
void layer_store::abandon(const merge_job&) { merging_.reset(); }

result<void> layer_store::set_readable_from(lsn from) {
  if (!has_manifest_ || from <= recorded_.readable_from) return {};
  manifest changed = recorded_;
  changed.readable_from = from;
  return record(std::move(changed));
}

uint64_t layer_store::unsettled_from() const {
  uint64_t first = next_number_->load();
  for (const first_number& one : {writing_, merging_, unsure_})
    if (one) first = std::min(first, *one);
  return first;
}

result<void> layer_store::record_job(manifest changed, uint64_t first) {
  auto recorded = record(std::move(changed));
  // The new manifest may be the one on the disk all the same.
  if (!recorded) {
    unsure_ = std::min(unsure_.value_or(first), first);
    return recorded;
  }
  refresh_map_layers();
  unreadable_.keep_named(recorded_.map);
  return {};
}

result<void> layer_store::record(manifest changed) {
  changed.next_number = next_number_->load();
  ZENITH_TRY(write_manifest(*how_.files, how_.directory, changed));
  recorded_ = std::move(changed);
  has_manifest_ = true;
  unsure_.reset();
  return {};
}

}  // namespace zenith::layers
