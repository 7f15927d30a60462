// A client of the node.
#include "actors/control_client.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <set>

#include "actors/control_handshake.hpp"
#include "actors/sockets.hpp"
#include "actors/system_config.hpp"

namespace zenith::actors {

struct control_client::parts {
  system_config config{1};
  caf::actor_system system{config};
  control_actor supervisor;
};

control_client::control_client(std::unique_ptr<parts> made) : parts_(std::move(made)) {}
control_client::~control_client() { parts_->supervisor = nullptr; }
caf::actor_system& control_client::system() { return parts_->system; }
const control_actor& control_client::supervisor() const { return parts_->supervisor; }

result<std::unique_ptr<control_client>> control_client::connect(const std::filesystem::path& socket,
                                                                const control::secret& secret,
                                                                std::chrono::milliseconds timeout) {
  ZENITH_TRY_ASSIGN(descriptor connected, connect_to(socket));
  ZENITH_TRY(shake_hands(connected.get(), control::side::client, secret, timeout));
  auto made = std::make_unique<parts>();
  auto& middleman = made->system.middleman();
  const auto basp = middleman.named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  result<void> done = fail(errc::unavailable, "the node did not answer in time");
  constexpr uint16_t any_label = 1;
  caf::scoped_actor self{made->system};
  self->request(basp, timeout, caf::connect_atom::value,
                middleman.backend().new_scribe(connected.release()), any_label)
      .receive(
          [&](caf::node_id&, caf::strong_actor_ptr& actor, std::set<std::string>& interface) {
            const auto wanted = made->system.message_types(caf::detail::type_list<control_actor>{});
            if (actor == nullptr || !made->system.assignable(interface, wanted)) {
              done = fail(errc::unsupported,
                          "the node speaks another version of the protocol; this program and "
                          "zenithd have to be of the same build");
              return;
            }
            made->supervisor = caf::actor_cast<control_actor>(std::move(actor));
            done = {};
          },
          [&](caf::error& failure) { done = tl::unexpected<error>(from_caf(failure)); });
  ZENITH_TRY(done);
  return std::unique_ptr<control_client>(new control_client(std::move(made)));
}

}  // namespace zenith::actors
