// one_cpu: keeps this thread and two processes on one processor, so that no idle one is to be
// woken.
#pragma once

#include <sys/types.h>

#include <vector>

namespace zenith::bench {

/// For as long as it lives. Threads and processes that are made meanwhile inherit it and keep it.
class one_cpu {
 public:
  /// All threads of these processes. Errors are exceptions.
  explicit one_cpu(std::vector<pid_t> processes);
  ~one_cpu();
  one_cpu(const one_cpu&) = delete;
  one_cpu& operator=(const one_cpu&) = delete;

 private:
  std::vector<pid_t> processes_;
};

}  // namespace zenith::bench
