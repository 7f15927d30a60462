// The wal_receiver actor: one loop that connects, streams, reports, and begins again.
#include "actors/wal_receiver.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "actors/blocking.hpp"
#include "actors/clock.hpp"
#include "actors/errors.hpp"
#include "actors/receiver_window.hpp"
#include "actors/replication.hpp"
#include "protocol/postgres/replication.hpp"

namespace zenith::actors {
namespace {

using steady = std::chrono::steady_clock;

class receiver {
 public:
  receiver(caf::blocking_actor* self, receiver_parameters parameters, timeline_actor timeline,
           supervisor_actor supervisor)
      : self_(self),
        how_(std::move(parameters)),
        timeline_(std::move(timeline)),
        supervisor_(std::move(supervisor)) {
    self_->monitor(timeline_);
  }

  void run() {
    auto backoff = how_.backoff_min;
    while (alive()) {
      const auto began = steady::now();
      const error why = follow_once();
      if (ending_) break;
      self_->send(supervisor_, stream_atom::value, how_.compute, why.message);
      // A stream that lasted is worth an early new attempt.
      if (steady::now() - began > how_.backoff_max) backoff = how_.backoff_min;
      wait(backoff);
      backoff = std::min(backoff * 2, how_.backoff_max);
    }
    if (why_) self_->fail_state(std::move(why_));
  }

 private:
  bool alive() {
    if (!ending_ && !pump(self_, why_)) ending_ = true;
    return !ending_;
  }

  void wait(std::chrono::milliseconds time) {
    const auto until = steady::now() + time;
    while (alive() && steady::now() < until) poll(nullptr, 0, 20);
  }

  // Gives why the stream ended; it always does.
  error follow_once() {
    auto connection = replication_connection::connect(
        how_.conninfo + " replication=true fallback_application_name='" + how_.application +
            "' application_name='" + how_.application + "'",
        how_.connect_timeout, [this] { return alive(); });
    if (!connection) return connection.error();
    if (auto started = start(*connection); !started) return started.error();
    self_->send(supervisor_, stream_atom::value, how_.compute, std::string());
    last_status_ = {};
    reported_ = lsn{};
    // WAL may have come with the answer to the command.
    if (auto taken = take_all(*connection); !taken) return taken.error();
    while (alive()) {
      if (auto turned = turn(*connection); !turned) return turned.error();
    }
    // A last word, so that a server that waits for it before it ends sees everything.
    static_cast<void>(report(*connection));
    return {errc::unavailable, "the receiver ends"};
  }

  result<void> start(replication_connection& connection) {
    ZENITH_TRY_ASSIGN(const auto server, connection.identify());
    ZENITH_TRY(check_server(server, how_.expected));
    ZENITH_TRY(connection.ensure_slot(how_.slot));
    window_ = std::make_shared<receiver_window>();
    result<lsn> from = fail(errc::unavailable, "the timeline does not answer");
    self_->request(timeline_, caf::infinite, follow_atom::value, window_)
        .receive([&](lsn at) { from = at; },
                 [&](caf::error& failure) { from = tl::unexpected<error>(from_caf(failure)); });
    ZENITH_TRY(from);
    ZENITH_TRY(follow_promotions(connection, server, *from));
    ZENITH_TRY(check_nothing_lost(server, *from));
    sent_ = *from;
    return connection.start(how_.slot, *from, how_.expected.timeline);
  }

  // Up to the server's pg_timeline, as far as all of the WAL before it is here.
  result<void> follow_promotions(replication_connection& connection, const server_identity& server,
                                 lsn end) {
    if (server.timeline == how_.expected.timeline) return {};
    ZENITH_TRY_ASSIGN(const auto history, connection.history_of(server.timeline));
    while (how_.expected.timeline != server.timeline) {
      ZENITH_TRY_ASSIGN(const auto plan, repository::plan_following(how_.pg_timelines, end,
                                                                    server.timeline, history));
      if (!plan.now) return {};
      result<void> recorded;
      self_
          ->request(supervisor_, caf::infinite, plan_atom::value, how_.compute,
                    static_cast<uint32_t>(plan.next), plan.left_at)
          .receive([](lsn) {},
                   [&](caf::error& failure) { recorded = tl::unexpected(from_caf(failure)); });
      ZENITH_TRY(recorded);
      how_.pg_timelines.push_back({plan.next, plan.left_at});
      how_.expected.timeline = plan.next;
    }
    return {};
  }

  bool has_room() const {
    return !window_->is_paused() &&
           sent_.value() < window_->synced().value() + how_.unsynced_max_bytes;
  }

  // One look at the socket: takes what is there, passes it on, reports.
  result<void> turn(replication_connection& connection) {
    const bool room = has_room();
    pollfd polled[2] = {{connection.descriptor(), static_cast<short>(room ? POLLIN : 0), 0},
                        {window_->descriptor(), POLLIN, 0}};
    if (poll(polled, 2, poll_interval_ms) < 0 && errno != EINTR)
      return fail(errc::io, "poll failed");
    window_->clear();
    if (std::string why = window_->refusal(); !why.empty())
      return fail(errc::corrupt, "the timeline refused what the server sent: " + why);
    if (room) {
      // What came before the connection broke is taken all the same.
      const auto consumed = connection.consume();
      ZENITH_TRY(take_all(connection));
      ZENITH_TRY(consumed);
    }
    const bool due = steady::now() - last_status_ >= how_.status_interval;
    if (due || window_->durable() > reported_) ZENITH_TRY(report(connection));
    return {};
  }

  result<void> take_all(replication_connection& connection) {
    auto chunk = std::make_shared<wal_chunk>();
    const auto pass_on = [&] {
      if (chunk->data.empty()) return;
      chunk->from = window_;
      sent_ = chunk->at + chunk->data.size();
      self_->send(timeline_, wal_atom::value, wal_chunk_ptr{std::move(chunk)});
      chunk = std::make_shared<wal_chunk>();
    };
    while (has_room()) {
      auto message = connection.next();
      if (!message) {
        pass_on();
        return tl::unexpected<error>(message.error());
      }
      if (!*message) break;
      ZENITH_TRY_ASSIGN(const auto parsed, wire::parse_replication_message(**message));
      if (const auto* alive = std::get_if<wire::primary_keepalive>(&parsed)) {
        window_->set_server_end(alive->server_end);
        if (alive->reply_requested) ZENITH_TRY(report(connection));
        continue;
      }
      const auto& data = std::get<wire::xlog_data>(parsed);
      window_->set_server_end(data.server_end);
      if (chunk->data.empty()) chunk->at = sent_;
      if (auto follows = check_follows(data.start, chunk->at + chunk->data.size()); !follows) {
        pass_on();
        return follows;
      }
      chunk->data.insert(chunk->data.end(), data.wal.begin(), data.wal.end());
      if (chunk->data.size() >= how_.chunk_size_max_bytes) pass_on();
    }
    pass_on();
    return {};
  }

  result<void> report(replication_connection& connection) {
    const lsn durable = window_->durable();
    wire::standby_status status;
    status.written = durable;
    status.flushed = durable;
    status.applied = durable;
    status.sent_at = now();
    ZENITH_TRY(connection.send(wire::encode(status)));
    last_status_ = steady::now();
    reported_ = durable;
    return {};
  }

  caf::blocking_actor* self_;
  receiver_parameters how_;
  timeline_actor timeline_;
  supervisor_actor supervisor_;
  bool ending_ = false;
  caf::error why_;
  receiver_window_ptr window_;
  lsn sent_;      // the end of what was passed on to the timeline
  lsn reported_;  // the durable position that the server was told last
  steady::time_point last_status_;
};

}  // namespace

void wal_receiver(caf::blocking_actor* self, receiver_parameters parameters,
                  timeline_actor timeline, supervisor_actor supervisor) {
  receiver(self, std::move(parameters), std::move(timeline), std::move(supervisor)).run();
}

}  // namespace zenith::actors
