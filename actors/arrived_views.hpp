// arrived_views: the answers to a connection's requests for views, which wake its poll() loop.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "actors/view_waiter.hpp"
#include "storage/base/assert.hpp"

namespace zenith::actors {

/// Shared by one connection and the timelines that it asked. Thread-safe.
class arrived_views {
 public:
  struct answer {
    uint64_t tag = 0;
    result<layers::view_ptr> view;
  };

  arrived_views() : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { ZENITH_ASSERT(wake_ >= 0); }
  ~arrived_views() { close(wake_); }
  arrived_views(const arrived_views&) = delete;
  arrived_views& operator=(const arrived_views&) = delete;

  void put(uint64_t tag, result<layers::view_ptr> view) {
    {
      const std::lock_guard lock(mutex_);
      answers_.push_back({tag, std::move(view)});
    }
    const uint64_t one = 1;
    [[maybe_unused]] const auto put = write(wake_, &one, sizeof one);
  }
  std::vector<answer> take() {
    uint64_t count = 0;
    [[maybe_unused]] const auto got = read(wake_, &count, sizeof count);
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }
  /// Readable when there is something to take.
  int descriptor() const { return wake_; }

 private:
  int wake_;
  std::mutex mutex_;
  std::vector<answer> answers_;
};

/// One request of a connection. It is answered even where the timeline ends and nobody reads the
/// message that holds the waiter.
class tagged_waiter final : public view_waiter {
 public:
  tagged_waiter(std::shared_ptr<arrived_views> to, uint64_t tag) : to_(std::move(to)), tag_(tag) {}
  ~tagged_waiter() override {
    if (!delivered_)
      to_->put(tag_, fail(errc::unavailable, "the timeline ended before it had answered"));
  }
  tagged_waiter(const tagged_waiter&) = delete;
  tagged_waiter& operator=(const tagged_waiter&) = delete;
  void deliver(result<layers::view_ptr> view) override {
    delivered_ = true;
    to_->put(tag_, std::move(view));
  }

 private:
  std::shared_ptr<arrived_views> to_;
  uint64_t tag_;
  bool delivered_ = false;
};

}  // namespace zenith::actors
