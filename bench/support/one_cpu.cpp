// Setting the affinity of threads that /proc lists.
#include "bench/support/one_cpu.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace zenith::bench {
namespace {

// False where a thread refuses; one that has gone meanwhile does not count.
bool place(const std::vector<pid_t>& processes, const cpu_set_t& where) {
  bool good = sched_setaffinity(0, sizeof where, &where) == 0;
  for (const pid_t process : processes) {
    std::error_code gone;
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), gone)) {
      const pid_t thread = std::stoi(task.path().filename());
      if (sched_setaffinity(thread, sizeof where, &where) != 0 && errno != ESRCH) good = false;
    }
  }
  return good;
}

}  // namespace

one_cpu::one_cpu(std::vector<pid_t> processes) : processes_(std::move(processes)) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
  if (!place(processes_, one)) throw std::runtime_error("cannot set a process's processor");
}

one_cpu::~one_cpu() {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); ++cpu)
    CPU_SET(static_cast<size_t>(cpu), &all);
  place(processes_, all);
}

}  // namespace zenith::bench
