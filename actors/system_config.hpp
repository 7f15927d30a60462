// The actor system's configuration, the same for the node and its clients.
#pragma once

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "actors/messages.hpp"

namespace zenith::actors {

/// The version of what clients and nodes say to each other: CAF's clients refuse another one.
inline constexpr const char* protocol_identifier = "zenith/1";

struct system_config : caf::actor_system_config {
  explicit system_config(size_t threads) {
    load<caf::io::middleman>();
    add_message_types<caf::id_block::zenith>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", threads);
    set("scheduler.max-throughput", size_t{50});
    set("middleman.workers", size_t{0});
    set("middleman.app-identifiers", std::vector<std::string>{protocol_identifier});
    set("middleman.enable-automatic-connections", false);
  }
};

}  // namespace zenith::actors
