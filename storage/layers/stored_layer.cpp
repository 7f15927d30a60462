// Opening layer files when they are read, and closing those that were not read for long.
#include "storage/layers/stored_layer.hpp"

#include <fmt/format.h>

namespace zenith::layers {

result<opened_file> opened_file::open(file_system& files, const path& name,
                                      const layer_file_info& info, block_cache& cache,
                                      uint64_t cache_file) {
  opened_file opened;
  if (info.name.kind == layer_kind::delta) {
    ZENITH_TRY_ASSIGN(opened.delta_, delta_layer::open(files, name, cache, cache_file));
  } else {
    ZENITH_TRY_ASSIGN(opened.image_, image_layer::open(files, name, cache, cache_file));
  }
  const block_file_reader& file = opened.file();
  const auto& says = file.description();
  if (says.first != info.after || says.last != info.last)
    return file.damaged(24, fmt::format("the file's versions are from {} to {}, expected {} to {}",
                                        to_string(says.first), to_string(says.last),
                                        to_string(info.after), to_string(info.last)));
  if (file.size_bytes() != info.size_bytes || file.entries() != info.entries)
    return file.damaged(
        0, fmt::format("the file has {} bytes and {} entries, expected {} and {}",
                       file.size_bytes(), file.entries(), info.size_bytes, info.entries));
  return opened;
}

void open_files::add(const stored_layer& layer) {
  std::vector<opened_file_ptr> closed;  // closed for good after the mutex is free again
  const std::lock_guard lock(mutex_);
  while (!ring_.empty() && ring_.size() >= open_max_) {
    if (hand_ >= ring_.size()) hand_ = 0;
    const stored_layer& next = *ring_[hand_];
    const std::lock_guard file_lock(next.mutex_);
    if (!next.used_) {
      closed.push_back(std::move(next.file_));
      next.file_.reset();
      take_out(next);
    } else {
      next.used_ = false;
      ++hand_;
    }
  }
  layer.place_ = ring_.size();
  ring_.push_back(&layer);
}

void open_files::remove(const stored_layer& layer) {
  const std::lock_guard lock(mutex_);
  take_out(layer);
}

/// The last one of the ring takes its place.
void open_files::take_out(const stored_layer& layer) {
  if (layer.place_ == nowhere) return;
  ring_[layer.place_] = ring_.back();
  ring_[layer.place_]->place_ = layer.place_;
  ring_.pop_back();
  layer.place_ = nowhere;
}

size_t open_files::size() const {
  const std::lock_guard lock(mutex_);
  return ring_.size();
}

std::shared_ptr<const stored_layer> held_names::find(const layer_name& name,
                                                     const std::function<stored_layer*()>& make) {
  const std::lock_guard lock(mutex_);
  if (is_noting_) noted_.insert(name);
  std::weak_ptr<const stored_layer>& known = held_[name];
  std::shared_ptr<const stored_layer> held = known.lock();
  if (held == nullptr) {
    held.reset(make());
    known = held;
  }
  return held;
}

/// A layer ends; another one of the same name may be there already.
void held_names::remove(const layer_name& name) {
  const std::lock_guard lock(mutex_);
  const auto known = held_.find(name);
  if (known != held_.end() && known->second.expired()) held_.erase(known);
}

void held_names::begin_sweep() {
  const std::lock_guard lock(mutex_);
  is_noting_ = true;
  noted_.clear();
  for (const auto& [name, layer] : held_) noted_.insert(name);
}

std::set<layer_name> held_names::end_sweep() {
  const std::lock_guard lock(mutex_);
  is_noting_ = false;
  return std::exchange(noted_, {});
}

stored_layer::~stored_layer() {
  open_->remove(*this);
  names_->remove(info_.name);
}

result<opened_file_ptr> stored_layer::opened() const {
  const auto now_open = [&] {
    const std::lock_guard lock(mutex_);
    if (file_ != nullptr) used_ = true;
    return file_;
  };
  if (opened_file_ptr file = now_open()) return file;
  const std::lock_guard opening(opening_mutex_);
  if (opened_file_ptr file = now_open()) return file;
  ZENITH_TRY_ASSIGN(auto opened, opened_file::open(owner_.files(), owner_.path_of(info_.name),
                                                   info_, owner_.cache(), cache_file_));
  const auto file = std::make_shared<const opened_file>(std::move(opened));
  {
    const std::lock_guard lock(mutex_);
    file_ = file;
    used_ = true;
  }
  open_->add(*this);
  return file;
}

bool stored_layer::may_have(const key& first, const key& last, lsn after, lsn until) const {
  if (last < info_.first_key || first > info_.last_key || after >= info_.last) return false;
  return info_.name.kind == layer_kind::image ? until >= info_.last : until > info_.after;
}

result<void> stored_layer::collect(const key& k, lsn after, lsn until, key_history& history) const {
  if (!may_have(k, k, after, until)) return {};
  ZENITH_TRY_ASSIGN(const auto file, opened());
  return file->data().collect(k, after, until, history);
}

result<void> stored_layer::list(const key& first, const key& last, lsn until,
                                const std::function<void(const key&)>& each) const {
  if (!may_have(first, last, {}, until)) return {};
  ZENITH_TRY_ASSIGN(const auto file, opened());
  return file->data().list(first, last, until, each);
}

result<std::optional<transaction_end>> stored_layer::first_later_than(int64_t time_us,
                                                                      lsn until) const {
  if (info_.last_key.kind != key_kind::transaction_ends || until <= info_.after)
    return std::nullopt;
  ZENITH_TRY_ASSIGN(const auto file, opened());
  return file->data().first_later_than(time_us, until);
}

result<std::optional<transaction_end>> stored_layer::first_end_from(lsn from, lsn until) const {
  if (info_.last_key.kind != key_kind::transaction_ends || until <= info_.after)
    return std::nullopt;
  ZENITH_TRY_ASSIGN(const auto file, opened());
  return file->data().first_end_from(from, until);
}

result<std::optional<int64_t>> stored_layer::newest_time(lsn until) const {
  if (info_.last_key.kind != key_kind::transaction_ends || until <= info_.after)
    return std::nullopt;
  ZENITH_TRY_ASSIGN(const auto file, opened());
  return file->data().newest_time(until);
}

}  // namespace zenith::layers
