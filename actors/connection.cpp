// The connection actor: one client of the page service.
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <map>
#include <optional>

#include "actors/arrived_views.hpp"
#include "actors/blocking.hpp"
#include "actors/clock.hpp"
#include "actors/compute_directory.hpp"
#include "actors/errors.hpp"
#include "actors/page_service.hpp"
#include "protocol/pages/commands.hpp"
#include "protocol/pages/outgoing.hpp"
#include "protocol/pages/serve.hpp"
#include "protocol/pages/stream.hpp"
#include "protocol/postgres/session.hpp"
#include "storage/backup/control_state.hpp"

namespace zenith::actors {
namespace {

using steady = std::chrono::steady_clock;

class client {
 public:
  client(caf::blocking_actor* self, std::shared_ptr<descriptor> socket, page_service_parameters how,
         supervisor_actor supervisor)
      : self_(self),
        socket_(std::move(socket)),
        how_(std::move(how)),
        supervisor_(std::move(supervisor)),
        session_(pages::shape_of_text,
                 {{"server_version", "15.0 (zenith)"},
                  {"server_encoding", "UTF8"},
                  {"client_encoding", "UTF8"},
                  {"standard_conforming_strings", "on"}},
                 {}) {
    wait_no_longer_than(*socket_, poll_interval_ms);
  }

  void run() {
    caf::error why;
    while (!over_ && pump(self_, why)) turn();
    if (why) self_->fail_state(std::move(why));
  }

 private:
  bool has_room() const {
    return outgoing_.size_bytes() < how_.pending_reply_bytes_max &&
           waiting_.size() < how_.requests_in_flight_max;
  }

  void turn() {
    // With nothing under way only the client can have something new: one call waits for it and
    // takes it, where poll() would make it two.
    if (outgoing_.is_empty() && waiting_.empty() && has_room())
      receive(0);
    else
      wait_for_any();
    act();
    send_some();
  }

  void wait_for_any() {
    const bool unsent = !outgoing_.is_empty();
    pollfd polled[2] = {
        {socket_->get(), static_cast<short>((has_room() ? POLLIN : 0) | (unsent ? POLLOUT : 0)), 0},
        {arrived_->descriptor(), POLLIN, 0}};
    if (poll(polled, 2, poll_interval_ms) < 0) return;
    if ((polled[1].revents & POLLIN) != 0) take_views();
    if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && has_room())
      receive(MSG_DONTWAIT);
  }

  void receive(int flags) {
    std::byte piece[64 * 1024];
    const ssize_t got = recv(socket_->get(), piece, sizeof piece, flags);
    if (got > 0) return session_.feed({piece, static_cast<size_t>(got)});
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) over_ = true;
  }

  // Sends what there is to say, as far as the client takes it.
  void send_some() {
    constexpr size_t parts_max = 64;
    byte_view parts[parts_max];
    iovec pieces[parts_max];
    while (!outgoing_.is_empty()) {
      msghdr message{};
      message.msg_iov = pieces;
      message.msg_iovlen = outgoing_.gather(parts);
      for (size_t i = 0; i < message.msg_iovlen; ++i)
        pieces[i] = {const_cast<std::byte*>(parts[i].data()), parts[i].size()};
      const ssize_t sent = sendmsg(socket_->get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno != EAGAIN) over_ = true;
      if (sent <= 0) break;
      outgoing_.sent(static_cast<size_t>(sent));
    }
    if (closing_ && outgoing_.is_empty()) over_ = true;
  }

  void act() {
    while (!closing_ && has_room()) {
      wire::event event = session_.next();
      if (std::holds_alternative<wire::need_input>(event) ||
          std::holds_alternative<wire::need_answer>(event))
        return;
      if (auto* command = std::get_if<wire::run_command>(&event)) {
        run_command(command->text);
      } else if (auto* chunk = std::get_if<wire::copy_chunk>(&event)) {
        take_request(chunk->data);
      } else if (std::holds_alternative<wire::copy_end>(event)) {
        copy_ended_ = true;
        end_stream_when_idle();
      } else if (auto* closed = std::get_if<wire::closed>(&event)) {
        if (closed->reason)
          spdlog::warn("a client of the page service was refused: {}", closed->reason->message);
        closing_ = true;
      }
    }
  }

  void run_command(const std::string& text) {
    const auto command = pages::parse_command(text);
    if (!command) return session_.fail(command.error());
    const auto done = std::visit([this](const auto& one) { return run(one); }, *command);
    if (!done) return session_.fail(done.error());
    if (!std::holds_alternative<pages::pagestream_command>(*command))
      session_.complete(pages::tag_of(*command));
  }

  // Asks another actor and waits for its answer.
  template <class Answer, class Handle, class... Message>
  result<Answer> ask(const Handle& whom, Message... message) {
    result<Answer> answered = fail(errc::unavailable, "no answer");
    self_->request(whom, std::chrono::seconds(60), message...)
        .receive([&](Answer& value) { answered = std::move(value); },
                 [&](caf::error& failure) { answered = tl::unexpected<error>(from_caf(failure)); });
    return answered;
  }

  result<timeline_actor> timeline_of(const timeline_id& id) {
    return ask<timeline_actor>(supervisor_, lookup_atom::value, to_string(id));
  }

  result<void> run(const pages::basebackup_command& command) {
    ZENITH_TRY_ASSIGN(const timeline_actor timeline, timeline_of(command.timeline));
    ZENITH_TRY(ask<view_ptr>(timeline, view_atom::value, command.at));
    ZENITH_TRY_ASSIGN(const auto plan, ask<start_plan_ptr>(timeline, plan_atom::value, command.at,
                                                           start_purpose::copy));
    session_.begin_copy();
    return write_plain_tar(*plan, [this](byte_view data) { return send_copied(data); });
  }

  // Blocks while the client takes its time, but not past an exit message.
  result<void> send_copied(byte_view data) {
    session_.answer_copy_data(data);
    caf::error why;
    while (!outgoing_.is_empty()) {
      send_some();
      if (over_ || !pump(self_, why)) {
        over_ = true;
        return fail(errc::unavailable, "the client is gone");
      }
      if (outgoing_.is_empty()) break;
      pollfd polled{socket_->get(), POLLOUT, 0};
      poll(&polled, 1, poll_interval_ms);
    }
    return {};
  }

  result<void> run(const pages::status_command& command) {
    ZENITH_TRY_ASSIGN(const timeline_actor timeline, timeline_of(command.timeline));
    ZENITH_TRY_ASSIGN(const auto said, ask<timeline_status>(timeline, status_atom::value));
    session_.answer_row({said.id, to_string(lsn{said.start_lsn}), to_string(lsn{said.last_lsn}),
                         to_string(lsn{said.durable_lsn}), said.state});
    return {};
  }

  result<void> run(const pages::controlfile_command& command) {
    ZENITH_TRY_ASSIGN(const timeline_actor timeline, timeline_of(command.timeline));
    ZENITH_TRY_ASSIGN(const auto view, ask<view_ptr>(timeline, view_atom::value, command.at));
    ZENITH_TRY_ASSIGN(const auto control,
                      backup::control_at(*view, std::min(command.at, view->until())));
    session_.answer_row({pages::bytea_text(pg::encode_control_file(control))});
    return {};
  }

  result<void> run(const pages::pagestream_command& command) {
    ZENITH_TRY_ASSIGN(stream_timeline_, timeline_of(command.timeline));
    stream_id_ = command.timeline;
    view_ = nullptr;
    copy_ended_ = false;
    session_.begin_copy();
    return {};
  }

  void take_request(byte_view data) {
    const auto received = pages::decode_request(data);
    if (!received) return session_.fail(received.error());
    if (!received->asked) return reply({received->id, pages::error_reply{received->asked.error()}});
    const pages::request& asked = *received->asked;
    if (view_ && view_->from() <= asked.at && asked.at <= view_->until() &&
        steady::now() - view_taken_ < how_.view_lifetime)
      return reply(pages::serve(asked, *view_));
    ask_for_view({asked});
  }

  struct waiting_request {
    pages::request asked;
    bool is_repeated = false;
  };
  void ask_for_view(const waiting_request& one) {
    const uint64_t tag = ++last_tag_;
    waiting_.emplace(tag, one);
    self_->send(stream_timeline_, view_atom::value, one.asked.at,
                view_waiter_ptr{std::make_shared<tagged_waiter>(arrived_, tag)});
  }

  void take_views() {
    for (auto& answer : arrived_->take()) {
      const auto asked = waiting_.extract(answer.tag);
      if (asked.empty()) continue;
      if (!answer.view) {
        // A timeline that ended is spawned again by whoever asks for it next.
        if (answer.view.error().code == errc::unavailable && !asked.mapped().is_repeated) {
          if (auto again = timeline_of(stream_id_)) {
            stream_timeline_ = *again;
            ask_for_view({asked.mapped().asked, true});
            continue;
          }
        }
        reply({asked.mapped().asked.id, pages::error_reply{answer.view.error()}});
        continue;
      }
      if (!view_ || view_->until() <= (*answer.view)->until()) {
        view_ = *answer.view;
        view_taken_ = steady::now();
      }
      reply(pages::serve(asked.mapped().asked, **answer.view));
    }
    end_stream_when_idle();
  }

  void reply(const pages::reply& what) {
    const auto* found = std::get_if<pages::page_reply>(&what.body);
    if (found == nullptr) return session_.answer_copy_data(pages::encode(what));
    if (session_.begin_copy_data(pages::encode_page_header(what.id), page_size_bytes))
      outgoing_.add_page(found->data);
  }

  void end_stream_when_idle() {
    if (!copy_ended_ || !waiting_.empty()) return;
    copy_ended_ = false;
    view_ = nullptr;
    stream_timeline_ = nullptr;
    session_.complete("PAGESTREAM");
  }

  caf::blocking_actor* self_;
  std::shared_ptr<descriptor> socket_;
  page_service_parameters how_;
  supervisor_actor supervisor_;
  wire::session session_;
  pages::outgoing outgoing_{session_.output()};
  bool closing_ = false;  // nothing more is read; what is left is sent
  bool over_ = false;

  // The stream under way.
  timeline_id stream_id_;
  timeline_actor stream_timeline_;
  std::shared_ptr<arrived_views> arrived_ = std::make_shared<arrived_views>();
  std::map<uint64_t, waiting_request> waiting_;  // for a view, by tag
  uint64_t last_tag_ = 0;
  layers::view_ptr view_;  // serves every request that it covers
  steady::time_point view_taken_;
  bool copy_ended_ = false;
};

}  // namespace

void connection(caf::blocking_actor* self, std::shared_ptr<descriptor> socket,
                page_service_parameters parameters, supervisor_actor supervisor) {
  client(self, std::move(socket), std::move(parameters), std::move(supervisor)).run();
}

}  // namespace zenith::actors
