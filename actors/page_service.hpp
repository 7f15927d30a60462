// The page service's listener: one connection actor for each client.
#pragma once

#include <memory>

#include "actors/interfaces.hpp"
#include "actors/sockets.hpp"

namespace zenith::actors {

struct page_service_parameters {
  std::shared_ptr<descriptor> listener;
  size_t connections_max = 100;
  size_t requests_in_flight_max = 64;
  size_t pending_reply_bytes_max = 1 << 20;
  std::chrono::milliseconds view_lifetime{60'000};
};

/// Accepts clients of the page service until an exit message comes; then ends its connections.
void page_service(caf::blocking_actor* self, page_service_parameters parameters,
                  supervisor_actor supervisor);

/// One client: speaks PostgreSQL's v3 protocol on its socket, and reads pages from views.
void connection(caf::blocking_actor* self, std::shared_ptr<descriptor> socket,
                page_service_parameters parameters, supervisor_actor supervisor);

}  // namespace zenith::actors
