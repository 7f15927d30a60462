// steady_writers: sessions that commit one row after the other, and count what was acknowledged.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace zenith::testing {

/// Makes the tables that steady_writers write to; to be called once for a server's database.
void make_tables_for_writers(const std::string& conninfo);

/// Threads that write as long as this lives; each ends early where its server does. A transaction
/// inserts a row of its own (writer, number) into `w`, and updates a random row of `a`, which has
/// an index on what is changed.
class steady_writers {
 public:
  /// Numbers go on from what the table has.
  steady_writers(const std::string& conninfo, size_t writers);
  ~steady_writers() { stop(); }
  steady_writers(const steady_writers&) = delete;
  steady_writers& operator=(const steady_writers&) = delete;

  /// Commits that have returned, of all together.
  uint64_t acknowledged() const;
  /// Lets the commits under way return (or fail), and ends.
  void stop();
  /// After stop(), on a server with what was kept: an empty text where each writer has all rows
  /// that were acknowledged, at most one more, and no gap; else what is wrong.
  std::string what_is_missing(const std::string& conninfo) const;

 private:
  struct writer {
    uint64_t first = 0;
    std::atomic<uint64_t> next{0};  ///< all numbers before it were acknowledged
    std::thread thread;
  };
  void write(size_t number, const std::string& conninfo);

  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<writer>> writers_;
};

}  // namespace zenith::testing
