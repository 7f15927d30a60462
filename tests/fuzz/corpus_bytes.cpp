// corpus_bytes: inputs for the targets that take messages, streams of WAL and stored things.
#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include "protocol/control/handshake.hpp"
#include "protocol/pages/stream.hpp"
#include "protocol/postgres/backend.hpp"
#include "protocol/postgres/frontend.hpp"
#include "protocol/postgres/replication.hpp"
#include "storage/postgres/checkpoint.hpp"
#include "storage/postgres/control_file.hpp"
#include "tests/fuzz/corpus.hpp"
#include "tests/fuzz/redo_case.hpp"

namespace zenith::fuzz {
namespace {

/// An input of these bytes in front of others.
bytes with_front(std::initializer_list<int> front, byte_view rest) {
  bytes out;
  for (const int b : front) out.push_back(static_cast<std::byte>(b));
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

constexpr auto timeline = "0123456789abcdef0123456789abcdef";

bytes started() {
  bytes out;
  wire::write_startup(out, {{"user", "u"}, {"database", "d"}});
  return out;
}

void add_page_service(corpus& into) {
  const auto add = [&](const std::string& name, int pieces, auto write) {
    auto out = started();
    write(out);
    into.add("page_service", name, with_front({pieces}, out));
  };
  for (const auto* text : {"status", "basebackup", "controlfile", "pagestream"}) {
    const bool with_lsn = std::string_view(text) == "basebackup" || text[0] == 'c';
    const auto command = fmt::format("{} {}{}", text, timeline, with_lsn ? " 0/7D0" : "");
    add(std::string("query-") + text, 4, [&](bytes& out) { wire::write_query(out, command); });
    add(std::string("extended-") + text, 30, [&](bytes& out) {
      wire::write_parse(out, "s", command);
      wire::write_describe(out, 'S', "s");
      wire::write_bind(out, "p", "s");
      wire::write_describe(out, 'P', "p");
      wire::write_execute(out, "p", 1);
      wire::write_close(out, 'P', "p");
      wire::write_flush(out);
      wire::write_sync(out);
    });
  }
  for (const auto kind :
       {pages::request_kind::exists, pages::request_kind::size, pages::request_kind::get_page})
    add(fmt::format("pagestream-{}", static_cast<int>(kind)), 16, [&](bytes& out) {
      wire::write_query(out, fmt::format("pagestream {}", timeline));
      const auto request =
          pages::encode(pages::request{kind,
                                       77,
                                       lsn{2000},
                                       {1663, 5, 16384},
                                       fork_number::main,
                                       kind == pages::request_kind::get_page ? 3u : 0u});
      wire::write_copy_data(out, request);
      wire::write_copy_data(out, byte_view{request}.first(20));
      wire::write_copy_done(out);
      wire::write_query(out, "");
      wire::write_terminate(out);
    });
  add("copy-fail", 16, [&](bytes& out) {
    wire::write_query(out, fmt::format("pagestream {}", timeline));
    wire::write_copy_fail(out, "no more");
    wire::write_query(out, "select 1");
  });
  bytes declined;
  wire::write_ssl_request(declined);
  const auto rest = started();
  declined.insert(declined.end(), rest.begin(), rest.end());
  into.add("page_service", "ssl", with_front({7}, declined));
}

void add_handshakes(corpus& into) {
  std::array<std::byte, 32> secret, first, second;
  secret.fill(std::byte{7});
  first.fill(std::byte{1});
  second.fill(std::byte{2});
  control::handshake client(control::side::client, secret, first);
  control::handshake server(control::side::server, secret, second);
  std::map<bool, bytes> heard;  // by whether the server heard it
  for (const bool by_server : {true, false, true, false}) {
    auto& from = by_server ? client : server;
    auto& to = by_server ? server : client;
    const auto said = std::move(from.output());
    from.output().clear();
    heard[by_server].insert(heard[by_server].end(), said.begin(), said.end());
    (void)to.feed(said);
  }
  into.add("handshake", "client", with_front({0, 39}, heard[false]));
  into.add("handshake", "server", with_front({1, 8}, heard[true]));
  into.add("handshake", "server-too-much", with_front({1, 0xC8}, heard[true]));
  into.add("handshake", "both", with_front({2, 0}, bytes(8)));
  into.add("handshake", "both-another-secret", with_front({2, 1}, bytes(8)));
  into.add("handshake", "both-changed", with_front({2, 0, 0, 0, 1, 9, 1, 0, 0, 0}, {}));
}

void add_small_messages(corpus& into) {
  input_writer wal;
  wal.put('w');
  for (int i = 0; i < 3; ++i) wal.put(uint64_t{0x0000000100000000});
  wal.put_bytes(as_bytes("wal"));
  into.add("messages", "xlog-data", with_front({0}, wal.take()));
  into.add("messages", "keepalive", with_front({0, 'k'}, bytes(17)));
  into.add("messages", "standby-status",
           with_front({1}, wire::encode(wire::standby_status{lsn{1}, lsn{2}, lsn{3}})));
  bytes backend;
  wire::write_authentication_ok(backend);
  wire::write_parameter_status(backend, "server_version", "15");
  wire::write_negotiate_version(backend, {"_pq_.x"});
  wire::write_row_description(backend, {wire::column::text("a"), wire::column::int8("b")});
  wire::write_data_row(backend, {"1", std::nullopt});
  wire::write_command_complete(backend, "TAG");
  wire::write_error(backend, wire::severity::error, "08P01", "what");
  wire::write_copy_both_response(backend);
  wire::write_copy_out_response(backend);
  wire::write_copy_data(backend, as_bytes("data"));
  wire::write_ready_for_query(backend);
  into.add("messages", "backend", with_front({2}, backend));
  const auto add_reply = [&](const char* name, const pages::reply& r) {
    into.add("messages", name, with_front({3}, pages::encode(r)));
  };
  add_reply("reply-exists", {7, pages::exists_reply{true}});
  add_reply("reply-size", {7, pages::size_reply{9}});
  add_reply("reply-page", {7, pages::page_reply{std::make_shared<page>()}});
  add_reply("reply-error", {7, pages::error_reply{{errc::not_found, "no"}}});
  into.add(
      "messages", "request",
      with_front(
          {4},
          pages::encode(pages::request{
              pages::request_kind::get_page, 1, lsn{1}, {1663, 5, 16384}, fork_number::main, 3})));
}

}  // namespace

void add_messages(corpus& into) {
  add_page_service(into);
  add_handshakes(into);
  add_small_messages(into);
}

// The format is wal_stream.cpp's: how large the pieces are, an LSN, the start, then what follows.
void add_wal_streams(corpus& into) {
  const auto add = [&](const char* name, int start, std::initializer_list<int> what) {
    into.add("wal_stream", name,
             with_front({3, 5, 40, 1, start & 0xFF, start >> 8}, with_front(what, {})));
  };
  // Records: 0 short, 1 long, 2 torn; resource manager, info, length.
  add("short", 0, {0, 10, 0, 0, 60, 0, 10, 0, 0, 90, 0, 11, 32, 0, 30});
  add("long", 512, {1, 21, 0, 0x20, 0x4E, 1, 10, 0, 100, 0, 1, 9, 0, 0x10, 0x27});
  add("inside-a-page", 700, {0, 10, 0, 0, 60, 1, 10, 0, 0x40, 0x1F, 0, 1, 0, 0, 40});
  add("torn", 0, {0, 10, 0, 0, 60, 2, 10, 0, 0x20, 0x4E, 0, 10, 0, 0, 60});
  add("flipped", 0, {0, 10, 0, 0, 60, 1, 10, 0, 0, 40, 3, 200, 0, 0, 0, 1});
  add("page-header", 0, {1, 10, 0, 0x20, 0x4E, 0, 10, 0, 0, 60, 4, 1, 2, 0});
  add("record-header", 0, {0, 10, 0, 0, 60, 0, 10, 0, 0, 60, 5, 1, 17, 128});
  add("length", 0, {0, 10, 0, 0, 60, 0, 10, 0, 0, 60, 5, 0, 0, 255, 5, 0, 3, 255});
  add("cut", 0, {1, 10, 0, 0x20, 0x4E, 0, 10, 0, 0, 60, 6, 100, 0});
  add("more", 0, {0, 10, 0, 0, 60, 7, 4, 1, 2, 3, 4});
  add("zeros", 0, {0, 10, 0, 0, 60, 7, 40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                   0, 0,  0, 0, 0,  0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}

void add_stored(corpus& into) {
  add_layer_files(into);
  page p;
  store(p.begin() + 12, std::array<uint16_t, 4>{28, 8100, 8192, 0x2004});
  store(p.begin() + 24, uint32_t{8100u | 1u << 15 | 92u << 17});
  input_writer page_input;
  page_input.put(uint32_t{0});
  write_page(page_input, p);
  into.add("stored", "page", with_front({0}, page_input.take()));
  for (const int special : {8, 16, 24}) {
    store(p.begin() + 14, std::array<uint16_t, 2>{static_cast<uint16_t>(8192 - special - 92),
                                                  static_cast<uint16_t>(8192 - special)});
    page_input.put(uint32_t{1});
    write_page(page_input, p);
    into.add("stored", fmt::format("page-{}", special), with_front({0}, page_input.take()));
  }
  into.add("stored", "control", with_front({1}, pg::encode_control_data({})));
  into.add("stored", "checkpoint", with_front({3}, pg::encode_checkpoint({})));
  bytes map(512);
  store(map.data(), uint32_t{0x592717});
  store(map.data() + 4, uint32_t{2});
  into.add("stored", "relation-map", with_front({2}, map));

  // Images: info (0x02 applied, 0x01 with a hole, 0x04 pglz, 0x08 lz4, 0x10 zstd), the hole, data.
  const bytes plain(page_size_bytes, std::byte{5});
  into.add("stored", "image-hole", with_front({4, 0x03, 24, 0, 0xF0, 0x1F}, bytes(16)));
  bytes packed(ZSTD_compressBound(plain.size()));
  packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
  into.add("stored", "image-zstd", with_front({4, 0x12, 0, 0, 0, 0}, packed));
  packed.resize(static_cast<size_t>(LZ4_compressBound(static_cast<int>(plain.size()))));
  packed.resize(static_cast<size_t>(LZ4_compress_default(
      reinterpret_cast<const char*>(plain.data()), reinterpret_cast<char*>(packed.data()),
      static_cast<int>(plain.size()), static_cast<int>(packed.size()))));
  into.add("stored", "image-lz4", with_front({4, 0x0A, 0, 0, 0, 0}, packed));
  // pglz: eight literals, then a long match at distance 1, and another.
  into.add(
      "stored", "image-pglz",
      with_front({4, 0x06, 0, 0, 0, 0}, with_front({0x06, 5, 0x0F, 1, 255, 0x0F, 1, 255}, {})));
}

}  // namespace zenith::fuzz
