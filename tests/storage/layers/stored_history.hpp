// stored_history: one timeline's layer_store, and what was put into it as a reference.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>

#include "storage/io/durable_file.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/layers/layer_store.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::layers::layer_store_tests {

using testing::memory_file_system;

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

inline const path timelines = "timelines";
inline constexpr lsn base_at{1000};

inline timeline_id id_of(uint8_t number) {
  timeline_id id;
  id.value.fill(number);
  return id;
}

inline bytes value_of(uint64_t number) {
  const std::string text = fmt::format("value {} {}", number, std::string(number % 300, 'v'));
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

inline layer_limits tiny_limits() {
  layer_limits limits;
  limits.open_layer_bytes = 4096;
  limits.file_bytes = 2048;
  limits.level0_merge_at = 2;
  limits.level0_max = 4;
  limits.level1_bytes = 4096;
  limits.level_factor = 2;
  limits.job_bytes = 8192;
  return limits;
}

/// One timeline's store, and what was put into it: the reference.
class history {
 public:
  history(memory_file_system& files, uint8_t number) : files_(files), id_(id_of(number)) {
    must(create_directories_durably(files_, directory()));
  }
  path directory() const { return timelines / to_string(id_); }
  path folder() const { return directory() / "layers"; }

  /// A root with some values in its base.
  void make_base() {
    must(create_directories_durably(files_, folder()));
    auto image = must(image_writer::create(files_, folder() / "base.image", base_at));
    for (uint32_t i = 0; i < 20; ++i) {
      const key k = key::two_phase(i);
      puts_[k][base_at] = value_of(i);
      must(image.add(k, value_of(i)));
    }
    must(image.finish());
    start_ = now_ = base_at;
  }
  /// A child of this one; its reference holds what was before.
  history child(uint8_t number, lsn at) const {
    history made(files_, number);
    for (const auto& [k, versions] : puts_)
      for (const auto& [when, value] : versions)
        if (when <= at) made.puts_[k][when] = value;
    made.start_ = made.now_ = at;
    return made;
  }

  layer_store::parameters parameters(std::shared_ptr<layer_files> registry) const {
    layer_store::parameters how;
    how.files = &files_;
    how.directory = directory();
    how.id = id_;
    how.start = {start_, start_ - 8};
    how.readable_from = base_at;
    how.registry = std::move(registry);
    how.limits = tiny_limits();
    return how;
  }
  static std::shared_ptr<layer_files> new_registry(memory_file_system& files) {
    return std::make_shared<layer_files>(files, timelines, layer_files::limits{});
  }
  result<void> try_open(std::shared_ptr<layer_files> registry,
                        const std::optional<inherited_layers>& inherited = {}) {
    store_.reset();
    auto how = parameters(std::move(registry));
    how.inherited = inherited;
    ZENITH_TRY_ASSIGN(store_, layer_store::open(std::move(how)));
    // What the WAL would give again.
    for (const auto& [at, k] : order_)
      if (at > store_->disk_consistent().at) put_version(k, at);
    return {};
  }
  void open(std::shared_ptr<layer_files> registry,
            const std::optional<inherited_layers>& inherited = {}) {
    must(try_open(std::move(registry), inherited));
  }
  void open() { open(new_registry(files_)); }
  layer_store& store() { return *store_; }
  void close() { store_.reset(); }

  lsn put(const key& k) {
    now_ = now_ + 8;
    puts_[k][now_] = value_of(now_.value());
    order_.emplace(now_, k);
    put_version(k, now_);
    return now_;
  }
  void put_some(std::mt19937_64& random, int count) {
    for (int i = 0; i < count; ++i) put(key::two_phase(static_cast<uint32_t>(random() % 50)));
  }
  lsn now() const { return now_; }
  /// What was put last; none where nothing was.
  std::optional<bytes> newest(const key& k) const {
    const auto versions = puts_.find(k);
    if (versions == puts_.end()) return std::nullopt;
    return versions->second.rbegin()->second;
  }
  wal_place here() const { return {now_, now_ - 8, now_.value() % 16 == 0}; }

  result<bool> write_one() {
    const auto job = store_->next_write();
    if (!job) return false;
    const auto written = job->run();
    if (!written) {
      store_->abandon(*job);
      return tl::unexpected(written.error());
    }
    ZENITH_TRY(store_->install(*job, *written));
    return true;
  }
  result<bool> merge_one(const retention& keep = {}, bool collect = false) {
    ZENITH_TRY_ASSIGN(const auto job, store_->next_merge(keep, collect));
    if (!job) return false;
    const auto written = job->run([] { return false; });
    if (!written) {
      store_->abandon(*job);
      return tl::unexpected(written.error());
    }
    ZENITH_TRY(store_->install(*job, *written));
    return true;
  }
  void write_all() {
    while (must(write_one())) {
    }
  }
  void merge_all(const retention& keep = {}, bool collect = false) {
    while (must(merge_one(keep, collect))) {
    }
  }

  /// Every key at every LSN from `from` on at which something was put, or at one point.
  void expect_right(lsn from = base_at) const {
    const view seen(store_->layers(now_), from, now_);
    for (const auto& [k, versions] : puts_)
      for (lsn at = from; at <= now_; at = at + 8) expect_value(seen, versions, k, at);
  }
  void expect_right_at(lsn at) const {
    const view seen(store_->layers(at), at, at);
    for (const auto& [k, versions] : puts_) expect_value(seen, versions, k, at);
  }
  std::set<std::string> file_names() const {
    std::set<std::string> names;
    const auto there = files_.list(folder());
    if (there)
      for (const auto& entry : *there) names.insert(entry.name);
    return names;
  }
  std::set<std::string> named_files() const {
    std::set<std::string> names;
    for (const auto& level : store_->map().levels())
      for (const layer_slice& slice : level)
        if (slice.file.name.timeline == id_) names.insert(file_name_of(slice.file.name));
    return names;
  }

 private:
  void put_version(const key& k, lsn at) {
    store_->open_layer()->put_value(k, at, puts_.at(k).at(at));
    store_->open_layer()->publish(at);
  }
  static void expect_value(const view& seen, const std::map<lsn, bytes>& versions, const key& k,
                           lsn at) {
    const auto found = must(seen.value(k, at));
    const auto next = versions.upper_bound(at);
    if (next == versions.begin())
      ASSERT_FALSE(found) << to_string(k) << " at " << to_string(at);
    else
      ASSERT_TRUE(found && *found == std::prev(next)->second)
          << to_string(k) << " at " << to_string(at);
  }

  memory_file_system& files_;
  timeline_id id_;
  lsn start_, now_;
  std::map<key, std::map<lsn, bytes>> puts_;
  std::map<lsn, key> order_;  // own ones
  std::unique_ptr<layer_store> store_;
};

class layer_store_test : public ::testing::Test {
 protected:
  layer_store_test() { root_.make_base(); }

  memory_file_system files_;
  std::mt19937_64 random_{5};
  history root_{files_, 1};
};

}  // namespace zenith::layers::layer_store_tests
