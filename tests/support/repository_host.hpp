// repository_host: a server of a node as the host of a workload.
#pragma once

#include <string>

#include "tests/support/workload_host.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {

/// A running server of a repository, stopped and started by `zenith pg`; the node follows it.
class repository_host final : public workload_host {
 public:
  repository_host(const zenith_repository& repository, std::string server);

  /// Keywords and values, as the workloads add to them.
  std::string conninfo(const std::string& database = "postgres") const override;
  void restart() override;
  void crash() override;

 private:
  void start();

  const zenith_repository& repository_;
  std::string server_;
  std::string uri_;
};

}  // namespace zenith::testing
