// The scenario's steps, and what has to hold after each of them.
#include "tests/simulation/faulty_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "storage/io/durable_file.hpp"
#include "storage/layers/file_garbage.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/repository/check.hpp"

namespace zenith::simulation {
namespace {

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

layers::layer_limits small_limits() {
  layers::layer_limits limits;
  limits.open_layer_bytes = 64 << 10;
  limits.file_bytes = 16 << 10;
  limits.level0_merge_at = 2;
  limits.level1_bytes = 32 << 10;
  limits.level_factor = 2;
  limits.records_per_page_max = 4;
  limits.job_bytes = 64 << 10;
  return limits;
}

}  // namespace

faulty_run::faulty_run(const made_cluster& made) : made_(made) {
  names_ = must(repository::repository::create(files_, directory_, "{}"));
  const repository::timeline_metadata& root = made_.root().metadata;
  const path folder = names_->timeline_directory(root.id);
  must(create_directories_durably(files_, folder / "layers"));
  must(create_directories_durably(files_, folder / "wal"));
  auto image = must(layers::image_writer::create(
      files_, folder / "layers" / repository::base_image_name, root.start));
  for (const auto& [k, value] : made_.base()) must(image.add(k, value));
  must(image.finish());
  const uint64_t segment = made_.root().begin.value() / made_cluster::segment_size_bytes;
  must(write_file_durably(
      files_,
      folder / "wal" /
          pg::segment_file_name(pg_timeline{1}, segment, made_cluster::segment_size_bytes),
      made_.first_segment()));
  must(names_->create_branch("main", root));
  from_ = root.start;
  must(reopen());

  const auto then = [this](auto act, bool of_wal = false) {
    steps_.push_back({of_wal, std::move(act)});
  };
  const auto grow = [=, this](size_t line, double share) {
    then([=, this] { return append(line, share); }, true);
    then([=, this] { return sync(line); }, true);
  };
  const auto grow_and_write = [=, this](size_t line, double share) {
    then([=, this] { return append(line, share); }, true);
    then([=, this] { return write(line); }, true);
  };
  grow(0, 0.1);
  grow_and_write(0, 0.2);
  grow_and_write(0, 0.3);
  grow_and_write(0, 0.4);
  then([=, this] { return merge(0); });
  grow(0, 0.6);
  then([=, this] { return make_branch(); }, true);
  grow(1, 0.3);
  then([=, this] { return write(0); }, true);
  then([=, this] { return write(1); }, true);
  grow_and_write(1, 0.6);
  grow_and_write(1, 0.8);
  then([=, this] { return merge(1); });
  grow_and_write(0, 0.7);
  then([=, this] { return give_up(0.5); });
  then([=, this] { return merge(0); });
  then([=, this] { return collect_garbage(); });
  grow(1, 1);
  grow_and_write(0, 1);
  first_operation_ = files_.operations();
}

result<void> faulty_run::take(size_t step) { return steps_[step].act(); }

void faulty_run::close() {
  for (open_line& one : lines_) one.store.reset();
  registry_.reset();
  names_.reset();
}

result<void> faulty_run::reopen() {
  close();
  ZENITH_TRY_ASSIGN(names_, repository::repository::open(files_, directory_));
  registry_ = std::make_shared<layers::layer_files>(files_, directory_ / "timelines",
                                                    layers::layer_files::limits{1 << 20, 4});
  ZENITH_TRY(open_root());
  return names_->branch("branch") ? open_branch() : result<void>{};
}

layers::retention faulty_run::keep(size_t i) const {
  layers::retention kept{i == 0 ? from_ : made_.root().metadata.start, {}};
  if (i == 0 && names_->branch("branch") && made_.branch().metadata.start < from_)
    kept.points.push_back(made_.branch().metadata.start);
  return kept;
}

result<void> faulty_run::open_root() {
  repository::timeline_store::parameters how;
  how.files = &files_;
  ZENITH_TRY_ASSIGN(how.metadata, names_->timeline(made_.root().metadata.id));
  how.directory = names_->timeline_directory(how.metadata.id);
  how.registry = registry_;
  how.limits = small_limits();
  how.keep = keep(0);
  ZENITH_TRY_ASSIGN(lines_[0].store, repository::timeline_store::open(std::move(how)));
  return {};
}

result<void> faulty_run::open_branch() {
  repository::timeline_store::parameters how;
  how.files = &files_;
  ZENITH_TRY_ASSIGN(how.metadata, names_->timeline(made_.branch().metadata.id));
  how.directory = names_->timeline_directory(how.metadata.id);
  how.registry = registry_;
  how.limits = small_limits();
  how.keep = keep(1);
  ZENITH_TRY_ASSIGN(how.parent, lines_[0].store->base_at(how.metadata.start));
  ZENITH_TRY_ASSIGN(lines_[1].store, repository::timeline_store::open(std::move(how)));
  return {};
}

result<void> faulty_run::append(size_t i, double share) {
  repository::timeline_store& store = *lines_[i].store;
  const lsn target = made_[i].at(share);
  auto begun = store.begin_stream();
  if (!begun) return tl::unexpected(begun.error());
  for (lsn at = *begun; at < target;) {
    const lsn until = std::min(target, at + 40'000);
    ZENITH_TRY(store.append(at, made_[i].piece(at, until)));
    at = until;
  }
  return {};
}

result<void> faulty_run::sync(size_t i) {
  ZENITH_TRY_ASSIGN(lines_[i].acknowledged, lines_[i].store->sync());
  return {};
}

result<void> faulty_run::write(size_t i) {
  repository::timeline_store& store = *lines_[i].store;
  ZENITH_TRY(store.freeze());
  lines_[i].acknowledged = store.durable();
  while (const auto job = store.layers().next_write()) {
    const auto written = job->run();
    if (!written) {
      store.layers().abandon(*job);
      return tl::unexpected(written.error());
    }
    ZENITH_TRY(store.layers().install(*job, *written));
    store.layers_changed();
  }
  if (i == 0 && lines_[1].store) {
    ZENITH_TRY_ASSIGN(const auto base, store.base_at(made_.branch().metadata.start));
    lines_[1].store->inherit(*base);
  }
  return {};
}

result<void> faulty_run::merge(size_t i) {
  repository::timeline_store& store = *lines_[i].store;
  for (;;) {
    ZENITH_TRY_ASSIGN(const auto job, store.layers().next_merge(keep(i), true));
    if (!job) return {};
    const auto written = job->run([] { return false; });
    if (!written) {
      store.layers().abandon(*job);
      return tl::unexpected(written.error());
    }
    ZENITH_TRY(store.layers().install(*job, *written));
    store.layers_changed();
  }
}

result<void> faulty_run::make_branch() {
  const repository::timeline_metadata& branch = made_.branch().metadata;
  if (lines_[0].store->durable() < branch.start) ZENITH_TRY(sync(0));
  if (!names_->branch("branch")) {
    // What a try that failed left of the timeline is in nobody's way.
    for (const timeline_id& id : names_->garbage_timelines())
      ZENITH_TRY(names_->remove_timeline(id));
    ZENITH_TRY(names_->create_branch("branch", branch));
  }
  branch_acknowledged_ = true;
  return lines_[1].store ? result<void>{} : open_branch();
}

result<void> faulty_run::give_up(double share) {
  from_ = made_.root().at(share);
  return lines_[0].store->retain(keep(0));
}

result<void> faulty_run::collect_garbage() {
  registry_->begin_sweep();
  std::map<timeline_id, layers::swept_timeline> all;
  for (const open_line& one : lines_) {
    if (!one.store) continue;
    const timeline_id id = one.store->metadata().id;
    layers::swept_timeline& found = all[id];
    found.unsettled_from = one.store->layers().unsettled_from();
    found.map = one.store->layers().map();
    const auto entries = files_.list(names_->layers_directory(id));
    if (!entries) continue;
    for (const directory_entry& entry : *entries) {
      const uint64_t number = std::strtoull(entry.name.c_str(), nullptr, 16);
      const layers::layer_name name{id, number, layers::layer_kind::delta};
      if (file_name_of(name) == entry.name) found.files.push_back(name);
    }
  }
  ZENITH_TRY_ASSIGN(const auto garbage, layers::unreferenced_files(all, registry_->end_sweep()));
  for (const layers::layer_name& name : garbage)
    ZENITH_TRY(files_.remove(registry_->path_of(name)));
  return {};
}

// What was given up is refused with the earliest that works.
std::string faulty_run::answered_below(const repository::timeline_store& store) {
  const lsn below = store.oldest() - 8;
  if (below < made_.root().metadata.start || std::ranges::count(store.kept().points, below) != 0)
    return "";
  const auto seen = store.view_at(below);
  if (!seen && seen.error().code == errc::out_of_range &&
      seen.error().message.find("the earliest is " + to_string(store.oldest())) !=
          std::string::npos)
    return "";
  return fmt::format("{}, before {}: {}", to_string(below), to_string(store.oldest()),
                     seen ? "it is not refused" : seen.error().message);
}

std::string faulty_run::difference() {
  if (!names_->damaged().empty()) return names_->damaged().front().message;
  if (branch_acknowledged_ && !lines_[1].store) return "the branch is gone";
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (!lines_[i].store) continue;
    repository::timeline_store& store = *lines_[i].store;
    if (store.end() < lines_[i].acknowledged)
      return fmt::format("timeline {} ends at {}, acknowledged was {}", i, to_string(store.end()),
                         to_string(lines_[i].acknowledged));
    if (std::string found = answered_below(store); !found.empty()) return found;
    const auto seen = store.view();
    const lsn middle{(seen->from().value() + seen->until().value()) / 2};
    for (const lsn at : {seen->from(), middle, seen->until()})
      if (std::string found = made_.difference(i, *seen, at); !found.empty()) return found;
  }
  return "";
}

std::string faulty_run::leftovers(parts where) {
  const auto report = repository::check_repository(files_, directory_);
  if (!report) return report.error().message;
  if (!report->damaged.empty())
    return fmt::format("{} at offset {}: {}", report->damaged[0].file.string(),
                       report->damaged[0].offset, report->damaged[0].problem);
  for (const path& one : report->unreferenced) {
    const std::string folder = one.parent_path().filename();
    if (where == parts::all || folder == "layers" || folder == "wal")
      return "left: " + one.string();
  }
  return "";
}

}  // namespace zenith::simulation
