// arrival_queue: requests that wait for an LSN to arrive, each until its deadline.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <vector>

#include "storage/base/lsn.hpp"

namespace zenith::repository {

enum class arrival { arrived, timed_out, ended };

/// Bounded; knows no clock: the owner says what time it is. Callbacks are made from the calls
/// below, in the order of their LSNs, and may add new requests.
class arrival_queue {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using callback = std::function<void(arrival)>;

  explicit arrival_queue(size_t most) : most_(most) {}

  /// False where so many wait already that no more may; the callback is not kept then.
  bool add(lsn until, time_point deadline, callback done) {
    if (waiting_.size() >= most_) return false;
    waiting_.emplace(until, entry{deadline, std::move(done)});
    return true;
  }

  /// Everything up to the LSN is there.
  void advance(lsn until) {
    while (!waiting_.empty() && waiting_.begin()->first <= until) {
      auto first = waiting_.extract(waiting_.begin());
      first.mapped().done(arrival::arrived);
    }
  }

  /// Ends the requests whose deadline has come.
  void expire(time_point now) {
    std::vector<callback> over;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (it->second.deadline <= now) {
        over.push_back(std::move(it->second.done));
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
    for (callback& done : over) done(arrival::timed_out);
  }

  /// Ends all of them: the timeline closes.
  void end() {
    auto all = std::move(waiting_);
    waiting_.clear();
    for (auto& [until, waiting] : all) waiting.done(arrival::ended);
  }

  bool empty() const { return waiting_.empty(); }
  size_t size() const { return waiting_.size(); }

 private:
  struct entry {
    time_point deadline;
    callback done;
  };
  size_t most_;
  std::multimap<lsn, entry> waiting_;
};

}  // namespace zenith::repository
