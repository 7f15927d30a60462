// A stand-in for a server's walsender: says what it is told of itself, and streams what it is told.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "protocol/postgres/session.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::actors {

/// Listens on a Unix socket in a folder. Serves one connection after the other on its own thread.
class scripted_sender {
 public:
  /// What it says of itself.
  struct identity {
    std::string version = "15.7";
    std::string system = "77";
    std::string timeline = "1";
    std::string flushed = "0/1FFFFF";
    std::string segment_size = "1MB";
  };
  /// What it sends on one connection once WAL is asked for; then it hangs up, or stays silent.
  struct stream {
    struct piece {
      lsn at;
      bytes wal;
    };
    std::vector<piece> pieces;
    bool hangs_up = false;
  };

  explicit scripted_sender(const std::filesystem::path& folder)
      : folder_(folder), listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder / ".s.PGSQL.5432").string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 4) != 0)
      throw std::runtime_error("cannot listen in " + folder.string());
    thread_ = std::thread([this] { serve(); });
  }
  ~scripted_sender() {
    ending_ = true;
    thread_.join();
    close(listener_);
  }
  scripted_sender(const scripted_sender&) = delete;
  scripted_sender& operator=(const scripted_sender&) = delete;

  std::string conninfo() const { return "host=" + folder_.string() + " port=5432 user=u"; }
  void become(identity who) {
    const std::lock_guard lock(mutex_);
    who_ = std::move(who);
  }
  /// What the next START_REPLICATION gets that finds nothing before it; without any it gets
  /// silence.
  void play(stream next) {
    const std::lock_guard lock(mutex_);
    streams_.push_back(std::move(next));
  }
  /// Every START_REPLICATION so far.
  std::vector<std::string> starts() const {
    const std::lock_guard lock(mutex_);
    return starts_;
  }

 private:
  static constexpr int poll_interval_ms = 10;

  static bool readable(int descriptor) {
    pollfd polled{descriptor, POLLIN, 0};
    return poll(&polled, 1, poll_interval_ms) == 1;
  }
  void serve() {
    while (!ending_) {
      if (!readable(listener_)) continue;
      const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) continue;
      talk(peer);
      close(peer);
    }
  }
  void talk(int peer) {
    identity who;
    {
      const std::lock_guard lock(mutex_);
      who = who_;
    }
    wire::session session(shape_of, {{"server_version", who.version}}, {});
    std::byte buffer[4096];
    bool over = false;
    while (!over && !ending_) {
      if (!readable(peer)) continue;
      const ssize_t got = read(peer, buffer, sizeof buffer);
      if (got <= 0) return;
      session.feed({buffer, static_cast<size_t>(got)});
      over = !answer(session, who);
      bytes& out = session.output();
      for (size_t sent = 0; sent < out.size();) {
        const ssize_t put = send(peer, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
        if (put <= 0) return;
        sent += static_cast<size_t>(put);
      }
      out.clear();
    }
  }
  static result<wire::command_shape> shape_of(std::string_view text) {
    using kind = wire::command_shape::kind;
    const auto texts = [](int count) {
      return std::vector<wire::column>(static_cast<size_t>(count), wire::column::text("a"));
    };
    if (text == "IDENTIFY_SYSTEM") return wire::command_shape{kind::rows, texts(4)};
    if (text == "SHOW wal_segment_size") return wire::command_shape{kind::rows, texts(1)};
    if (text.starts_with("READ_REPLICATION_SLOT")) return wire::command_shape{kind::rows, texts(3)};
    if (text.starts_with("START_REPLICATION")) return wire::command_shape{kind::copy_both, {}};
    return fail(errc::invalid_argument, "not in the script: " + std::string(text));
  }
  /// False where the connection is over.
  bool answer(wire::session& session, const identity& who) {
    for (;;) {
      const wire::event todo = session.next();
      if (std::holds_alternative<wire::need_input>(todo)) return true;
      if (std::holds_alternative<wire::closed>(todo)) return false;
      if (std::holds_alternative<wire::copy_end>(todo)) session.complete("COPY");
      const auto* command = std::get_if<wire::run_command>(&todo);
      if (command == nullptr) continue;
      if (command->text.starts_with("START_REPLICATION")) {
        if (!stream_to(session, command->text)) return false;
        continue;
      }
      if (command->text == "IDENTIFY_SYSTEM")
        session.answer_row({who.system, who.timeline, who.flushed, std::nullopt});
      else if (command->text.starts_with("SHOW"))
        session.answer_row({who.segment_size});
      else
        session.answer_row({"physical", "0/0", "1"});
      session.complete("OK");
    }
  }
  bool stream_to(wire::session& session, const std::string& command) {
    stream now;
    {
      const std::lock_guard lock(mutex_);
      starts_.push_back(command);
      if (!streams_.empty()) {
        now = std::move(streams_.front());
        streams_.pop_front();
      }
    }
    session.begin_copy();
    for (const stream::piece& one : now.pieces) {
      bytes message(25);
      message[0] = std::byte{'w'};
      const uint64_t end = one.at.value() + one.wal.size();
      for (size_t i = 0; i < 8; ++i) {
        message[1 + i] = static_cast<std::byte>(one.at.value() >> (56 - 8 * i));
        message[9 + i] = static_cast<std::byte>(end >> (56 - 8 * i));
      }
      message.insert(message.end(), one.wal.begin(), one.wal.end());
      session.answer_copy_data(message);
    }
    return !now.hangs_up;
  }

  const std::filesystem::path folder_;
  const int listener_;
  mutable std::mutex mutex_;
  identity who_;
  std::deque<stream> streams_;
  std::vector<std::string> starts_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace zenith::actors
