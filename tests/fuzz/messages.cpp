// messages: what a walsender, a page service and a client of replication may be sent.
#include "protocol/pages/stream.hpp"
#include "protocol/postgres/backend.hpp"
#include "protocol/postgres/frames.hpp"
#include "protocol/postgres/replication.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/guarded.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace zenith;
using namespace zenith::fuzz;

void run_backend(byte_view data) {
  wire::frame_reader reader(64 * 1024);
  reader.feed(data);
  for (;;) {
    const auto frame = reader.next(wire::framing::typed);
    if (!frame || !*frame) break;
    (void)wire::parse_backend(**frame);
  }
}

void run(uint8_t which, byte_view data) {
  switch (which % 5) {
    case 0:
      if (const auto m = wire::parse_replication_message(data))
        if (const auto* w = std::get_if<wire::xlog_data>(&*m))
          demand(w->wal.size() + wire::xlog_data_header_size_bytes == data.size(),
                 "all of the WAL that came");
      break;
    case 1:
      if (const auto s = wire::parse_standby_status(data)) {
        const auto again = wire::parse_standby_status(wire::encode(*s));
        demand(again && *again == *s, "what is read is written back");
      }
      break;
    case 2:
      run_backend(data);
      break;
    case 3:
      if (const auto r = pages::decode_reply(data))
        demand(pages::decode_reply(pages::encode(*r)).has_value(), "what is read is written back");
      break;
    default:
      if (const auto r = pages::decode_request(data); r && r->asked) {
        const auto again = pages::encode(*r->asked);
        demand(std::ranges::equal(again, data), "what is read is written back");
      }
      break;
  }
}

}  // namespace

// u8: which parser; then its bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  input_reader in(as_view(data, size));
  const auto which = in.take<uint8_t>();
  static guarded_memory memory(256 * 1024);
  const auto copy = memory.use(std::min(in.rest().size(), memory.capacity_bytes()));
  std::ranges::copy(in.rest().first(copy.size()), copy.begin());
  run(which, copy);
  return 0;
}
