// The budget of all timelines' layers: asks the largest to freeze, makes all wait where it is
// spent.
#include "storage/layers/memory_budget.hpp"

#include <algorithm>

namespace zenith::layers {

std::shared_ptr<memory_budget> memory_budget::make(uint64_t limit_bytes,
                                                   std::function<void(uint64_t)> unused) {
  std::shared_ptr<memory_budget> made(new memory_budget(limit_bytes, std::move(unused)));
  made->tell_unused();
  return made;
}

std::unique_ptr<memory_budget::account> memory_budget::join(std::function<void()> changed) {
  const std::lock_guard lock(mutex_);
  account::entry made;
  made.changed = std::move(changed);
  accounts_.push_front(std::move(made));
  return std::unique_ptr<account>(new account(shared_from_this(), accounts_.begin()));
}

uint64_t memory_budget::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used();
}

uint64_t memory_budget::used() const {
  return sum_.open_bytes + sum_.frozen_bytes + sum_.held_bytes;
}

void memory_budget::tell_unused() const {
  if (unused_) unused_(limit_bytes_ - std::min(limit_bytes_, used()));
}

void memory_budget::add(const usage& more) {
  sum_.open_bytes += more.open_bytes;
  sum_.frozen_bytes += more.frozen_bytes;
  sum_.held_bytes += more.held_bytes;
}

void memory_budget::take(const usage& less) {
  sum_.open_bytes -= less.open_bytes;
  sum_.frozen_bytes -= less.frozen_bytes;
  sum_.held_bytes -= less.held_bytes;
}

bool memory_budget::is_over() const {
  return sum_.open_bytes + sum_.frozen_bytes + std::min(sum_.held_bytes, limit_bytes_ / 4) >
         limit_bytes_;
}

void memory_budget::ask_largest() {
  while (sum_.open_bytes - asked_bytes_ > limit_bytes_ / 2) {
    account::entry* largest = nullptr;
    for (account::entry& one : accounts_)
      if (one.asked_at_bytes == 0 && one.now.open_bytes != 0 &&
          (largest == nullptr || one.now.open_bytes > largest->now.open_bytes))
        largest = &one;
    if (largest == nullptr) return;
    largest->asked_at_bytes = largest->now.open_bytes;
    asked_bytes_ += largest->now.open_bytes;
    largest->changed();
  }
}

void memory_budget::release_waiting() {
  if (!anybody_waits_ || is_over()) return;
  anybody_waits_ = false;
  for (account::entry& one : accounts_)
    if (std::exchange(one.waits, false)) one.changed();
}

memory_budget::account::~account() {
  const std::lock_guard lock(owner_->mutex_);
  owner_->take(place_->now);
  if (place_->asked_at_bytes != 0) owner_->asked_bytes_ -= place_->now.open_bytes;
  owner_->accounts_.erase(place_);
  owner_->release_waiting();
  owner_->tell_unused();
}

void memory_budget::account::set(const usage& now) {
  const std::lock_guard lock(owner_->mutex_);
  entry& mine = *place_;
  owner_->take(mine.now);
  if (mine.asked_at_bytes != 0) owner_->asked_bytes_ -= mine.now.open_bytes;
  mine.now = now;
  owner_->add(now);
  // An open layer only grows: where there is less, another one has begun.
  if (now.open_bytes < mine.asked_at_bytes) mine.asked_at_bytes = 0;
  if (mine.asked_at_bytes != 0) owner_->asked_bytes_ += now.open_bytes;
  owner_->ask_largest();
  owner_->release_waiting();
  owner_->tell_unused();
}

bool memory_budget::account::has_to_freeze() const {
  const std::lock_guard lock(owner_->mutex_);
  return place_->asked_at_bytes != 0;
}

bool memory_budget::account::has_to_wait() {
  const std::lock_guard lock(owner_->mutex_);
  place_->waits = owner_->is_over();
  if (place_->waits) owner_->anybody_waits_ = true;
  return place_->waits;
}

}  // namespace zenith::layers
