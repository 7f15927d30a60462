// What may happen in one step.
#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/world.hpp"

namespace zenith::simulation {
namespace {

constexpr size_t lines_max = 40;
constexpr uint64_t steps_about_one = 40;
constexpr size_t held_max = 4;

}  // namespace

void world::take_step(uint64_t number) {
  chance by(seed_, number);
  const size_t i = any_line(number, by);
  const uint64_t what = by.below(1000);
  if (what < 270) {
    write(i, by);
  } else if (what < 480) {
    const held_view through = held_.empty() || by.one_in(2) ? look(i) : by.of(held_);
    for (uint64_t reads = by.between(1, 8); reads > 0; --reads) read_one(through, by);
  } else if (what < 500) {
    list_keys(look(i), by);
  } else if (what < 515) {
    find_times(i, by);
  } else if (what < 520) {
    expect_refused(i, by);
  } else if (what < 610) {
    freeze(i);
  } else if (what < 740) {
    go_on_writing(i, by);
  } else if (what < 890) {
    go_on_merging(i, by);
  } else if (what < 910) {
    pass_on(i);
  } else if (what < 930) {
    change_retention(i, by);
  } else if (what < 930 + branching_) {
    make_branch(i, by);
  } else if (what < 960) {
    remove_leaf(i);
  } else if (what < 970) {
    if (held_.size() == held_max) held_.erase(held_.begin());
    held_.push_back(look(i));
  } else if (what < 980) {
    sweep_ ? end_sweep() : begin_sweep();
  } else if (what < 995) {
    close(i);
  } else {
    power_cut(by);
  }
}

/// For a while most steps are about one timeline, the newest ones more often, so that chains grow.
size_t world::any_line(uint64_t number, chance& by) const {
  chance now(seed_, UINT64_MAX / 2 + number / steps_about_one);
  chance& from = by.one_in(4) ? by : now;
  for (;;) {
    const size_t newest = std::min<size_t>(3, lines_.size());
    const size_t i =
        from.one_in(2) ? lines_.size() - 1 - from.below(newest) : from.below(lines_.size());
    if (!told_->timelines()[i].removed) return i;
  }
}

void world::write(size_t i, chance& by) {
  layers::layer_store& store = opened(i);
  for (uint64_t records = by.between(1, 12); records > 0; --records) {
    step_of_wal step = make_step(*told_, i, by, unknowns_);
    feed(*told_, i, step, *store.open_layer());
    told_->append(i, std::move(step));
  }
  if (by.one_in(2)) lines_[i].durable = told_->timelines()[i].end;
  if (store.is_full()) freeze(i);
  say("wrote to ", i, " up to ", to_string(told_->timelines()[i].end), ", durable until ",
      to_string(lines_[i].durable));
}

void world::freeze(size_t i) {
  layers::layer_store& store = opened(i);
  const lsn end = told_->timelines()[i].end;
  lines_[i].durable = end;
  if (store.freeze(place_at(i, end))) say("froze ", i, " at ", to_string(end));
}

void world::go_on_writing(size_t i, chance& by) {
  layers::layer_store& store = opened(i);
  line& l = lines_[i];
  if (l.write) return finish_write(i, !by.one_in(8));
  const auto job = store.next_write();
  if (!job) return;
  l.write = running<write_job>{*job, std::nullopt};
  say("began to write ", i);
  if (by.one_in(2)) l.write->outcome = l.write->job.run();
  if (by.one_in(2)) finish_write(i, true);
}

void world::finish_write(size_t i, bool install) {
  line& l = lines_[i];
  running<write_job> w = std::move(*l.write);
  l.write.reset();
  if (!w.outcome) w.outcome = w.job.run();
  if (!*w.outcome) fail_with("a layer was not written: " + w.outcome->error().message);
  if (!install) return say("gave up writing ", i), l.store->abandon(w.job);
  expect(l.store->install(w.job, **w.outcome), "a written layer does not come to count");
  l.acknowledged = l.store->disk_consistent().at;
  l.has_manifest = true;
  expect(l.store->set_readable_from(l.from), "raising what can be read");
  say("wrote layers of ", i, " up to ", to_string(l.acknowledged));
}

void world::go_on_merging(size_t i, chance& by) {
  layers::layer_store& store = opened(i);
  line& l = lines_[i];
  if (l.merge) return finish_merge(i, !by.one_in(8));
  layers::retention keep = retention_of(i);
  if (by.one_in(6)) {
    // As while a point is looked for: nobody knows then what will be needed.
    keep = {};
    expect(store.set_readable_from(keep.horizon), "keeping everything");
    say("kept everything of ", i, " for one merge");
  }
  auto job = store.next_merge(keep, by.one_in(2));
  if (!job) fail_with("no merge can be found: " + job.error().message);
  if (!*job) return;
  l.merge = running<merge_job>{std::move(**job), std::nullopt};
  say("began to merge ", i);
  if (by.one_in(10)) {
    // Ended early, if it asks.
    uint64_t asked = by.below(20);
    const auto outcome = l.merge->job.run([&] { return asked-- == 0; });
    if (!outcome && outcome.error().code != errc::unavailable)
      fail_with("a merge failed: " + outcome.error().message);
    store.abandon(l.merge->job);
    l.merge.reset();
    return;
  }
  if (by.one_in(2)) l.merge->outcome = l.merge->job.run([] { return false; });
  if (by.one_in(2)) finish_merge(i, true);
}

void world::finish_merge(size_t i, bool install) {
  line& l = lines_[i];
  running<merge_job> m = std::move(*l.merge);
  l.merge.reset();
  if (!m.outcome) m.outcome = m.job.run([] { return false; });
  if (!*m.outcome) fail_with("a merge failed: " + m.outcome->error().message);
  if (!install) return say("gave up merging ", i), l.store->abandon(m.job);
  expect(l.store->install(m.job, **m.outcome), "a merge does not come to count");
  say("merged ", i, " into level ", m.job.plan.output_level);
}

void world::change_retention(size_t i, chance& by) {
  line& l = lines_[i];
  const history::timeline& t = told_->timelines()[i];
  if (by.one_in(2)) {
    const lsn from{by.between(l.from.value(), std::max(l.from, l.durable).value())};
    raise_from(i, from);
    return say("raised ", i, " to ", to_string(from));
  }
  if (!l.tags.empty() && by.one_in(2)) {
    say("untagged ", i);
    l.tags.erase(l.tags.begin());
    return;
  }
  if (l.durable < std::max(l.from, t.start)) return;
  const lsn at{by.between(std::max(l.from, t.start).value(), l.durable.value())};
  l.tags.insert(at);
  say("tagged ", i, " at ", to_string(at));
}

void world::make_branch(size_t p, chance& by) {
  if (lines_.size() == lines_max) return;
  const history::timeline& parent = told_->timelines()[p];
  lsn at = parent.start;
  if (by.one_in(2)) {
    at = parent.end;
  } else if (!parent.wal.empty()) {
    at = by.of(parent.wal).end;
  }
  if (at < lines_[p].from) return;
  lines_[p].durable = std::max(lines_[p].durable, at);
  line child = {};
  child.id = lines_[0].id;
  store(child.id.value.data() + 8, uint64_t{lines_.size()});
  child.durable = child.acknowledged = at;
  child.from = lines_[p].from;
  lines_.push_back(std::move(child));
  told_->add_child(p, at);
  const size_t c = lines_.size() - 1;
  expect(files_.create_directories(directory_of(c)), "making a timeline's folder");
  expect(files_.sync_directory(directory_of(c).parent_path()), "syncing a timeline's folder");
  say("branched ", c, " from ", p, " at ", to_string(at));
}

void world::remove_leaf(size_t i) {
  for (const history::timeline& t : told_->timelines())
    if (i == 0 || (!t.removed && t.parent == i)) return;
  std::erase_if(held_, [&](const held_view& v) { return v.of == i; });
  close(i);
  told_->remove(i);
  expect(files_.remove_all(directory_of(i)), "removing a timeline");
  expect(files_.sync_directory(directory_of(i).parent_path()), "removing a timeline");
  say("removed ", i);
}

/// The first half of a sweep (file_garbage.hpp, 1 to 3); anything may happen before the other one.
void world::begin_sweep() {
  if (!registry_) return;
  sweep_.emplace();
  registry_->begin_sweep();
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (told_->timelines()[i].removed) continue;
    layers::swept_timeline& found = (*sweep_)[i];
    if (lines_[i].store) {
      found.unsettled_from = lines_[i].store->unsettled_from();
    } else if (const auto there = layers::read_manifest(files_, directory_of(i))) {
      found.unsettled_from = there->next_number;
    }
    const auto entries = files_.list(directory_of(i) / "layers");
    if (!entries) continue;
    for (const directory_entry& entry : *entries) {
      layers::layer_name name{lines_[i].id, 0, layers::layer_kind::image};
      if (file_name_of(name) != entry.name)
        name = {lines_[i].id, std::strtoull(entry.name.c_str(), nullptr, 16),
                layers::layer_kind::delta};
      if (file_name_of(name) == entry.name) found.files.push_back(name);
    }
  }
  say("began to sweep");
}

void world::end_sweep() {
  std::map<timeline_id, layers::swept_timeline> all;
  auto begun = std::exchange(sweep_, std::nullopt);
  for (auto& [i, found] : *begun) {
    if (told_->timelines()[i].removed) continue;
    auto there = layers::read_manifest(files_, directory_of(i));
    if (there) found.map = std::move(there->map);
    if (!there && there.error().code != errc::not_found) fail_with(there.error().message);
    all.emplace(lines_[i].id, std::move(found));
  }
  // What began after the sweep did may have come to name files.
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (told_->timelines()[i].removed || all.contains(lines_[i].id)) continue;
    auto there = layers::read_manifest(files_, directory_of(i));
    if (there) all[lines_[i].id].map = std::move(there->map);
  }
  const auto garbage = layers::unreferenced_files(all, registry_->end_sweep());
  if (!garbage) fail_with(garbage.error().message);
  for (const layers::layer_name& name : *garbage) {
    // A timeline that was opened meanwhile has removed what its jobs had left.
    const auto removed = files_.remove(registry_->path_of(name));
    if (!removed && removed.error().code != errc::not_found) expect(removed, "removing garbage");
  }
  say("swept ", garbage->size(), " files");
}

}  // namespace zenith::simulation
