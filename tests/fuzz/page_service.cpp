// page_service: a connection of the page service, fed any bytes in any pieces.
#include <memory>

#include "protocol/pages/commands.hpp"
#include "protocol/pages/serve.hpp"
#include "protocol/pages/stream.hpp"
#include "protocol/postgres/session.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace zenith;
using namespace zenith::fuzz;

constexpr lsn view_start{1000}, view_end{2000};

/// One relation of four blocks, one of which was never written.
const layers::view& small_view() {
  static const layers::view shown = [] {
    const relation_id relation{1663, 5, 16384};
    auto layer = std::make_shared<layers::memory_layer>(view_start);
    layer->put_value(key::size(relation, fork_number::main), view_end,
                     relation_state::of_base(4).encode());
    for (const block_number block : {0u, 1u, 3u}) {
      page p;
      p.data.fill(static_cast<std::byte>(block));
      layer->put_value(key::block(relation, fork_number::main, block), view_end, p.view());
    }
    layer->publish(view_end);
    return layers::view({{layer, view_end}}, view_start, view_end);
  }();
  return shown;
}

/// The owner of a session, as a connection is one, without sockets and messages.
class owner {
 public:
  owner() : session_(pages::shape_of_text, {{"server_version", "15.0"}}, limits()) {}

  void feed(byte_view data) {
    session_.feed(data);
    while (!over_) {
      const auto todo = session_.next();
      if (std::holds_alternative<wire::need_input>(todo)) break;
      act(todo);
      send();
    }
    send();
  }
  const bytes& sent() const { return sent_; }
  bool over() const { return over_; }

 private:
  static wire::session::limits limits() {
    wire::session::limits bounds;
    bounds.message_bytes_max = 4096;
    bounds.names_max = 4;
    return bounds;
  }
  void act(const wire::event& todo) {
    demand(!std::holds_alternative<wire::need_answer>(todo), "each command was answered at once");
    if (const auto* run = std::get_if<wire::run_command>(&todo)) return start(run->text);
    if (const auto* chunk = std::get_if<wire::copy_chunk>(&todo)) return serve(chunk->data);
    if (std::holds_alternative<wire::copy_end>(todo)) return session_.complete("PAGESTREAM");
    over_ = true;
  }
  void start(const std::string& text) {
    const auto parsed = pages::parse_command(text);
    demand(parsed.has_value(), "a command that runs was described before");
    const auto shape = pages::shape_of(*parsed);
    if (shape.how == wire::command_shape::kind::rows) {
      session_.answer_row(wire::row(shape.columns.size(), "value"));
      session_.complete(pages::tag_of(*parsed));
      return;
    }
    session_.begin_copy();
    if (shape.how == wire::command_shape::kind::copy_both) return;
    session_.answer_copy_data(as_bytes("tar"));
    session_.complete(pages::tag_of(*parsed));
  }
  void serve(byte_view data) {
    const auto asked = pages::decode_request(data);
    if (!asked) return session_.fail(asked.error());
    session_.answer_copy_data(pages::encode(
        asked->asked ? pages::serve(*asked->asked, small_view())
                     : pages::reply{asked->id, pages::error_reply{asked->asked.error()}}));
  }
  void send() {
    demand(session_.output().size() <= 64 * 1024, "an event's answer is bounded");
    sent_.insert(sent_.end(), session_.output().begin(), session_.output().end());
    session_.output().clear();
  }

  wire::session session_;
  bytes sent_;
  bool over_ = false;
};

/// All that was sent is messages of the protocol, but for the single letters that decline
/// encryption.
void check_sent(byte_view sent) {
  while (!sent.empty() && sent[0] == std::byte{'N'} && (sent.size() < 2 || sent[1] != std::byte{0}))
    sent = sent.subspan(1);
  wire::frame_reader reader(1 << 20);
  reader.feed(sent);
  for (;;) {
    const auto frame = reader.next(wire::framing::typed);
    demand(frame.has_value(), "what is sent is messages");
    if (!*frame) break;
    demand(wire::parse_backend(**frame).has_value(), "what is sent can be read");
  }
  demand(reader.pending_bytes() == 0, "no half message is sent");
}

void run(uint8_t pieces, byte_view input) {
  owner whole;
  whole.feed(input);
  owner in_pieces;
  for (size_t at = 0; at < input.size() && !in_pieces.over(); at += pieces + 1u)
    in_pieces.feed(input.subspan(at, std::min<size_t>(pieces + 1u, input.size() - at)));
  demand(whole.sent() == in_pieces.sent(), "the same answers, whatever the pieces");
  demand(whole.over() == in_pieces.over(), "the same end, whatever the pieces");
  check_sent(whole.sent());
}

}  // namespace

// u8: how large the pieces are; then what the client sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  input_reader in(as_view(data, size));
  const auto pieces = in.take<uint8_t>();
  run(pieces, in.rest());
  return 0;
}
