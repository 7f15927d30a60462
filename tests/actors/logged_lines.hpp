// What the node logs while this is there, counted line by line; instead of the log of the tests.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace zenith::actors {

class logged_lines {
 public:
  logged_lines() : before_(spdlog::default_logger()), lines_(std::make_shared<sink>()) {
    auto logger = std::make_shared<spdlog::logger>("captured", lines_);
    logger->set_level(spdlog::level::info);
    spdlog::set_default_logger(logger);
  }
  ~logged_lines() { spdlog::set_default_logger(before_); }
  logged_lines(const logged_lines&) = delete;
  logged_lines& operator=(const logged_lines&) = delete;

  std::vector<std::string> all() const {
    const std::lock_guard lock(lines_->mine);
    return lines_->all;
  }
  size_t count(const std::string& words) const {
    const auto lines = all();
    return static_cast<size_t>(std::ranges::count_if(
        lines, [&](const std::string& one) { return one.find(words) != std::string::npos; }));
  }
  /// The number of lines with these words reaches `times` within 60 s.
  bool wait_for(const std::string& words, size_t times) const {
    std::unique_lock lock(lines_->mine);
    return lines_->changed.wait_for(lock, std::chrono::seconds(60), [&] {
      return static_cast<size_t>(std::ranges::count_if(lines_->all, [&](const std::string& one) {
               return one.find(words) != std::string::npos;
             })) >= times;
    });
  }
  /// Of how many lines with the first words, those with the second have not followed yet, at most.
  size_t most_between(const std::string& begin, const std::string& end) const {
    size_t now = 0;
    size_t most = 0;
    for (const std::string& one : all()) {
      if (one.find(begin) != std::string::npos) most = std::max(most, ++now);
      if (one.find(end) != std::string::npos && now > 0) --now;
    }
    return most;
  }

 private:
  struct sink : spdlog::sinks::base_sink<std::mutex> {
    void sink_it_(const spdlog::details::log_msg& message) override {
      const std::lock_guard lock(mine);
      all.emplace_back(message.payload.data(), message.payload.size());
      changed.notify_all();
    }
    void flush_() override {}
    std::mutex mine;
    std::condition_variable changed;
    std::vector<std::string> all;
  };

  std::shared_ptr<spdlog::logger> before_;
  std::shared_ptr<sink> lines_;
};

}  // namespace zenith::actors
