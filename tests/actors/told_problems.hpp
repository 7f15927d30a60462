// What a supervisor was told by receivers, to be waited for from a test's thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace zenith::actors {

class told_problems {
 public:
  void put(std::string problem) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(problem));
    changed_.notify_all();
  }
  /// The number of problems with these words reaches `times` within 20 s.
  bool wait_for(const std::string& words, int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      return std::ranges::count_if(all_, [&](const std::string& one) {
               return one.find(words) != std::string::npos;
             }) >= times;
    });
  }
  /// All of them, one a line.
  std::string text() const {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const std::string& one : all_) all += one + "\n";
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

}  // namespace zenith::actors
