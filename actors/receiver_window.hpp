// receiver_window: how far a timeline's WAL is durable, told to its receiver's poll() loop.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>

#include "storage/base/assert.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::actors {

/// Written by the timeline, read by the receiver (but for the server's end). The receiver stops
/// reading from its server while too much of what it sent is not synced, or where the timeline's
/// layers cannot keep up, and reports each advance at once. What it reports ends with a whole
/// record; what is synced may go further: a record may be larger than all that may wait.
class receiver_window {
 public:
  receiver_window() : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { ZENITH_ASSERT(wake_ >= 0); }
  ~receiver_window() { close(wake_); }
  receiver_window(const receiver_window&) = delete;
  receiver_window& operator=(const receiver_window&) = delete;

  /// Whole records are durable up to `until`, bytes up to `synced`.
  void set_durable(lsn until, lsn synced) {
    durable_.store(until.value(), std::memory_order_release);
    synced_.store(std::max(until, synced).value(), std::memory_order_release);
    wake();
  }
  lsn durable() const { return lsn{durable_.load(std::memory_order_acquire)}; }
  lsn synced() const { return lsn{synced_.load(std::memory_order_acquire)}; }

  /// While it is set nothing more is read from the server; what was read is taken in all the same.
  void set_paused(bool paused) {
    if (paused_.exchange(paused, std::memory_order_acq_rel) != paused) wake();
  }
  bool is_paused() const { return paused_.load(std::memory_order_acquire); }

  /// How far the server has written, as it last said; set by the receiver.
  void set_server_end(lsn end) { server_end_.store(end.value(), std::memory_order_relaxed); }
  /// What the server has written and the timeline does not hold durably.
  uint64_t lag_bytes() const {
    const uint64_t end = server_end_.load(std::memory_order_relaxed);
    const uint64_t held = durable().value();
    return end > held ? end - held : 0;
  }

  /// The timeline refuses what was sent: the receiver has to begin again. `why` is not empty.
  void refuse(std::string why) {
    {
      const std::lock_guard lock(mutex_);
      refusal_ = std::move(why);
    }
    wake();
  }
  /// Empty where nothing was refused.
  std::string refusal() const {
    const std::lock_guard lock(mutex_);
    return refusal_;
  }

  /// Readable when something changed; clear() before looking.
  int descriptor() const { return wake_; }
  void clear() const {
    uint64_t count = 0;
    [[maybe_unused]] const auto got = read(wake_, &count, sizeof count);
  }

 private:
  void wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const auto put = write(wake_, &one, sizeof one);
  }

  int wake_;
  std::atomic<uint64_t> durable_{0};
  std::atomic<uint64_t> synced_{0};
  std::atomic<uint64_t> server_end_{0};
  std::atomic<bool> paused_{false};
  mutable std::mutex mutex_;
  std::string refusal_;
};

}  // namespace zenith::actors
