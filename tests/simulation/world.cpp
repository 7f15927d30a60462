// Timelines that are opened, closed, cut off from power, and the files that they leave.
#include "tests/simulation/world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/layers/image_layer.hpp"

namespace zenith::simulation {
namespace {

const path timelines = "timelines";
constexpr lsn root_start{0x1000000};

timeline_id id_of(size_t i) {
  timeline_id id;
  id.value[0] = 0xa0;
  store(id.value.data() + 8, uint64_t{i});
  return id;
}

}  // namespace

world::world(uint64_t seed) : seed_(seed) {
  chance by(seed, UINT64_MAX);
  checksums_ = by.one_in(2);
  unknowns_ = by.one_in(3);
  branching_ = by.one_in(4) ? 28 : by.between(2, 15);
  limits_.open_layer_bytes = uint64_t{1} << by.between(14, 17);
  limits_.file_bytes = uint64_t{1} << by.between(11, 15);
  limits_.level0_merge_at = static_cast<unsigned>(by.between(2, 4));
  limits_.level0_max = limits_.level0_merge_at + static_cast<unsigned>(by.between(1, 4));
  limits_.level1_bytes = uint64_t{1} << by.between(11, 15);
  limits_.level_factor = static_cast<unsigned>(by.between(2, 4));
  limits_.records_per_page_max = static_cast<unsigned>(by.between(1, 6));
  limits_.job_bytes = uint64_t{1} << by.between(12, 16);
  make_root(by);
}

world::~world() = default;

void world::make_root(chance& by) {
  told_ = std::make_unique<history>(root_start, make_base(by), checksums_);
  line root;
  root.id = id_of(0);
  root.durable = root.from = root.acknowledged = root_start;
  lines_.push_back(std::move(root));
  const path folder = directory_of(0) / "layers";
  expect(files_.create_directories(folder), "making the root's folder");
  auto image = layers::image_writer::create(files_, folder / "base.image", root_start);
  for (const auto& [k, value] : told_->base()) expect(image->add(k, value), "the base image");
  if (!image->finish()) fail_with("the base image was not written");
  for (const path& each : {directory_of(0), timelines, path(".")})
    expect(files_.sync_directory(each), "syncing the root's folder");
}

path world::directory_of(size_t i) const { return timelines / to_string(lines_[i].id); }

/// The end of a record of this timeline, or where it starts.
layers::wal_place world::place_at(size_t i, lsn at) const {
  const history::timeline& t = told_->timelines()[i];
  if (at == t.start && t.parent) return place_at(*t.parent, at);
  if (at == t.start) return {at, at - 64, true};
  for (const step_of_wal& step : t.wal)
    if (step.end == at) return {at, step.start, step.is_checkpoint};
  fail_with(fmt::format("no record of timeline {} ends at {}", i, to_string(at)));
}

bool world::depends_on_parent(size_t i) const {
  return told_->timelines()[i].parent && !lines_[i].has_manifest;
}

layers::layer_store& world::opened(size_t i) {
  line& l = lines_[i];
  if (l.store) return *l.store;
  if (!registry_) {
    layers::layer_files::limits bounds;
    bounds.block_cache_bytes = size_t{256} << 10;
    bounds.open_files_max = 5;
    registry_ = std::make_shared<layers::layer_files>(files_, timelines, bounds);
    cache_ = std::make_shared<layers::page_cache>(size_t{1} << 20);
  }
  const history::timeline& t = told_->timelines()[i];
  layers::layer_store::parameters how;
  how.files = &files_;
  how.directory = directory_of(i);
  how.id = l.id;
  how.start = place_at(i, t.start);
  how.readable_from = l.from;
  if (depends_on_parent(i)) how.inherited = opened(*t.parent).inherited_at(t.start);
  how.registry = registry_;
  how.checksums = checksums_ ? layers::page_checksums::on : layers::page_checksums::off;
  how.limits = limits_;
  auto store = layers::layer_store::open(std::move(how));
  if (!store) fail_with(fmt::format("timeline {} does not open: {}", i, store.error().message));
  l.store = std::move(*store);
  const layers::wal_place& found = l.store->disk_consistent();
  if (found.at < l.acknowledged || found.at > l.durable || found != place_at(i, found.at))
    fail_with(
        fmt::format("timeline {} has all up to {} in files, its record at {}; {} was told, "
                    "its WAL is durable until {}",
                    i, to_string(found.at), to_string(found.last_record), to_string(l.acknowledged),
                    to_string(l.durable)));
  l.has_manifest = l.store->has_manifest();
  // A state that was given up before is not promised again.
  expect(l.store->set_readable_from(l.from), "raising what can be read");
  for (const step_of_wal& step : t.wal)
    if (step.end > found.at) feed(*told_, i, step, *l.store->open_layer());
  say("opened ", i, " from ", to_string(found.at));
  return *l.store;
}

/// What jobs wrote that nobody waits for any more is left behind.
void world::close(size_t i) {
  if (!lines_[i].store) return;
  lines_[i].write.reset();
  lines_[i].merge.reset();
  lines_[i].store.reset();
  say("closed ", i);
}

/// What a child inherited may be in files, or in other files, now.
void world::pass_on(size_t i) {
  for (size_t c = 0; c < lines_.size(); ++c) {
    const history::timeline& t = told_->timelines()[c];
    if (t.removed || t.parent != i || !depends_on_parent(c) || !lines_[c].store) continue;
    lines_[c].store->inherit(opened(i).inherited_at(t.start), lines_[c].from);
    pass_on(c);
  }
}

void world::raise_from(size_t i, lsn from) {
  if (from <= lines_[i].from) return;
  lines_[i].from = from;
  if (lines_[i].store) expect(lines_[i].store->set_readable_from(from), "raising what can be read");
  for (size_t c = 0; c < lines_.size(); ++c) {
    const history::timeline& t = told_->timelines()[c];
    if (!t.removed && t.parent == i && depends_on_parent(c)) raise_from(c, std::min(from, t.start));
  }
}

layers::retention world::retention_of(size_t i) const {
  std::set<lsn> points = lines_[i].tags;
  for (size_t c = 0; c < lines_.size(); ++c) {
    const history::timeline& t = told_->timelines()[c];
    if (!t.removed && t.parent == i && depends_on_parent(c)) points.insert(t.start);
  }
  layers::retention keep{lines_[i].from, {}};
  for (const lsn at : points)
    if (at < keep.horizon) keep.points.push_back(at);
  return keep;
}

void world::power_cut(chance& by) {
  held_.clear();
  for (line& l : lines_) {
    l.write.reset();
    l.merge.reset();
    l.store.reset();
  }
  sweep_.reset();
  cache_.reset();
  registry_.reset();
  if (by.one_in(2)) {
    files_.power_cut();
  } else {
    files_.power_cut_keeping_some(by.next());
  }
  for (size_t i = 0; i < lines_.size(); ++i)
    if (!told_->timelines()[i].removed) told_->cut(i, lines_[i].durable);
  say("power cut");
}

std::set<layers::layer_name> world::named_files() {
  std::set<layers::layer_name> all;
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (told_->timelines()[i].removed) continue;
    auto there = layers::read_manifest(files_, directory_of(i));
    if (!there && there.error().code == errc::not_found) continue;
    if (!there) fail_with("a manifest cannot be read: " + there.error().message);
    for (const auto& level : there->map.levels())
      for (const layers::layer_slice& slice : level) all.insert(slice.file.name);
  }
  return all;
}

/// In the folders of timelines lies what manifests name, the base image, and nothing else.
void world::check_files() {
  std::set<layers::layer_name> named = named_files();
  named.insert({lines_[0].id, 0, layers::layer_kind::image});
  std::set<path> expected;
  for (const layers::layer_name& name : named)
    expected.insert(timelines / to_string(name.timeline) / "layers" / file_name_of(name));
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (told_->timelines()[i].removed) continue;
    auto entries = files_.list(directory_of(i));
    if (!entries) fail_with(entries.error().message);
    for (const directory_entry& entry : *entries)
      if (entry.name != "layers" && entry.name != layers::manifest_name)
        fail_with("left: " + (directory_of(i) / entry.name).string());
    entries = files_.list(directory_of(i) / "layers");
    if (!entries) continue;
    for (const directory_entry& entry : *entries)
      if (const path name = directory_of(i) / "layers" / entry.name; expected.erase(name) == 0)
        fail_with("no manifest names " + name.string());
  }
  for (const path& missing : expected)
    if (missing != timelines / to_string(lines_[0].id) / "layers" / "base.image")
      fail_with("a manifest names " + missing.string() + ", which is not there");
}

void world::finish() {
  held_.clear();
  chance by(seed_, UINT64_MAX - 1);
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (told_->timelines()[i].removed) continue;
    opened(i);
    if (lines_[i].write) finish_write(i, true);
    if (lines_[i].merge) finish_merge(i, true);
    freeze(i);
    for (int jobs = 0; jobs < 200; ++jobs) {
      const auto job = lines_[i].store->next_write();
      if (!job) break;
      lines_[i].write = running<write_job>{*job, job->run()};
      finish_write(i, true);
    }
    pass_on(i);
    if (lines_[i].store->frozen_bytes() != 0)
      fail_with(fmt::format("timeline {} cannot be written: {}", i,
                            lines_[i].store->waits_for_parent() ? "it waits for its parent" : ""));
  }
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (told_->timelines()[i].removed) continue;
    const held_view seen_now = look(i);
    for (int reads = 0; reads < 10; ++reads) read_one(seen_now, by);
  }
  if (sweep_) end_sweep();
  begin_sweep();
  end_sweep();
  for (size_t i = 0; i < lines_.size(); ++i) close(i);
  registry_->begin_sweep();
  if (!registry_->end_sweep().empty()) fail_with("a layer is held when all is closed");
  check_files();
}

void world::fail_with(const std::string& what, difference::kind of) const {
  throw difference{of, what};
}

void world::expect(const result<void>& r, const std::string& what) const {
  if (!r) fail_with(what + ": " + r.error().message);
}

}  // namespace zenith::simulation
