// memory_budget: the memory of all timelines' layers in one bound; who has to freeze, who to wait.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace zenith::layers {

/// One a node; thread-safe. Each timeline has an account and says what it takes.
///
/// Open layers may take half of the bound: past that the timelines with the largest ones are asked
/// to freeze them. The other half is for frozen ones that are being written; where all of it is
/// taken nobody may take more WAL in until something was written. So the sum stays below the bound
/// but for what one append of each timeline adds, and what long reads hold past a quarter of it.
class memory_budget : public std::enable_shared_from_this<memory_budget> {
 public:
  struct usage {
    uint64_t open_bytes = 0;    ///< of a layer that holds something, and can be frozen
    uint64_t frozen_bytes = 0;  ///< of layers that are not written yet
    /// Of layers that were written, but that somebody still reads. A quarter of the bound is the
    /// most that they count for: a long read must not stop all timelines.
    uint64_t held_bytes = 0;
  };

  /// One timeline's part of it; gone with its owner. Used by one thread.
  class account {
   public:
    ~account();
    account(const account&) = delete;
    account& operator=(const account&) = delete;

    void set(const usage& now);
    /// Whether its open layer is to be frozen.
    bool has_to_freeze() const;
    /// Whether no WAL may be taken in now. Who was told so is called when it is over.
    bool has_to_wait();

   private:
    friend class memory_budget;
    struct entry {
      usage now;
      uint64_t asked_at_bytes = 0;  ///< what was open when it was asked to freeze; 0: it was not
      bool waits = false;
      std::function<void()> changed;
    };
    account(std::shared_ptr<memory_budget> owner, std::list<entry>::iterator place)
        : owner_(std::move(owner)), place_(place) {}
    std::shared_ptr<memory_budget> owner_;
    std::list<entry>::iterator place_;
  };

  /// `unused`: told what of the bound nobody takes, whenever that may have changed; from any
  /// thread, while the budget is locked. May be null.
  static std::shared_ptr<memory_budget> make(uint64_t limit_bytes,
                                             std::function<void(uint64_t bytes)> unused = {});

  /// `changed` is called from any thread, while the budget is locked, when the account has to
  /// freeze, or has to wait no more: it may only pass that on.
  std::unique_ptr<account> join(std::function<void()> changed);

  uint64_t limit_bytes() const { return limit_bytes_; }
  /// What all of them take.
  uint64_t used_bytes() const;

 private:
  memory_budget(uint64_t limit_bytes, std::function<void(uint64_t)> unused)
      : limit_bytes_(limit_bytes), unused_(std::move(unused)) {}
  // With the lock held.
  void add(const usage& more);
  void take(const usage& less);
  uint64_t used() const;
  bool is_over() const;
  void ask_largest();
  void release_waiting();
  void tell_unused() const;

  const uint64_t limit_bytes_;
  const std::function<void(uint64_t)> unused_;
  mutable std::mutex mutex_;
  std::list<account::entry> accounts_;
  usage sum_;
  uint64_t asked_bytes_ = 0;  // of open layers whose owners were asked to freeze them
  bool anybody_waits_ = false;
};

}  // namespace zenith::layers
