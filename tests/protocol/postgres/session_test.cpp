// Sessions: what a client sees for what it sends, command by command.
#include "protocol/postgres/session.hpp"

#include <gtest/gtest.h>

#include "tests/protocol/postgres/served_session.hpp"

namespace zenith::wire {
namespace {

TEST(session, lets_a_client_in_after_declining_encryption) {
  served_session s;
  bytes packet;
  write_ssl_request(packet);
  s.send(packet);
  EXPECT_EQ(as_text(s.take()), "N");
  s.start();
  EXPECT_EQ(s.seen(), "RSZ");
  EXPECT_EQ(s.server().client_parameters().front().second, "u");
  s.send(query("rows"));
  EXPECT_EQ(s.seen(), "TD1D2D3CZ");
  bytes bye;
  write_terminate(bye);
  s.send(bye);
  EXPECT_TRUE(s.is_closed());
  EXPECT_FALSE(s.reason().has_value());
  EXPECT_EQ(s.seen(), "");
}

TEST(session, names_protocol_options_that_it_does_not_know) {
  bytes packet;
  write_startup(packet, {{"user", "u"}, {"_pq_.x", "1"}});
  served_session option;
  option.send(packet);
  EXPECT_EQ(option.seen(), "vRSZ");
  bytes newer;
  write_startup(newer, {{"user", "u"}});
  store_big_endian(&newer[4], uint32_t{3} << 16 | 2);
  served_session minor;
  minor.send(newer);
  EXPECT_EQ(minor.seen(), "vRSZ");
}

TEST(session, refuses_what_is_no_startup) {
  bytes old;
  write_startup(old, {{"user", "u"}});
  store_big_endian(&old[4], uint32_t{2} << 16);
  served_session version;
  version.send(old);
  EXPECT_EQ(version.seen(), "E(0A000)");
  EXPECT_TRUE(version.is_closed());

  served_session http;
  http.send(as_bytes("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(http.seen(), "E(08P01)");
  EXPECT_TRUE(http.is_closed());

  served_session cancel;
  bytes packet(16);
  store_big_endian(&packet[0], uint32_t{16});
  store_big_endian(&packet[4], uint32_t{1234} << 16 | 5678);
  cancel.send(packet);
  EXPECT_TRUE(cancel.is_closed());
  EXPECT_EQ(cancel.seen(), "");

  served_session asks_for_ever;
  bytes ssl;
  write_ssl_request(ssl);
  for (int i = 0; i < 3; ++i) asks_for_ever.send(ssl);
  EXPECT_TRUE(asks_for_ever.is_closed());
}

TEST(session, answers_simple_queries_of_each_kind) {
  served_session s;
  s.start();
  s.seen();
  s.send(query("out"));
  EXPECT_EQ(s.seen(), "HdxdycCZ");
  s.send(query(" ; "));
  EXPECT_EQ(s.seen(), "IZ");
  s.send(query("nonsense"));
  EXPECT_EQ(s.seen(), "E(42601)Z");
  s.send(query("absent"));
  EXPECT_EQ(s.seen(), "E(42704)Z");
  EXPECT_FALSE(s.is_closed());
}

TEST(session, carries_both_directions_of_a_copy) {
  served_session s;
  s.start();
  s.seen();
  bytes data = query("both");
  write_copy_data(data, as_bytes("1"));
  write_flush(data);
  write_sync(data);
  write_copy_data(data, as_bytes("2"));
  write_copy_done(data);
  write_query(data, "rows");
  s.send(data);
  EXPECT_EQ(s.seen(), "Wd1d2cCZTD1D2D3CZ");

  bytes failing = query("both");
  write_copy_fail(failing, "no more");
  s.send(failing);
  EXPECT_EQ(s.seen(), "WE(22023)Z");

  bytes failed = query("both");
  write_copy_data(failed, as_bytes("fail"));
  write_copy_data(failed, as_bytes("ignored"));
  write_copy_done(failed);
  write_query(failed, "rows");
  s.send(failed);
  EXPECT_EQ(s.seen(), "WE(XX001)ZTD1D2D3CZ");

  bytes stray = query("both");
  write_query(stray, "rows");
  s.send(stray);
  EXPECT_EQ(s.seen(), "WE(08P01)");
  EXPECT_TRUE(s.is_closed());
}

TEST(session, answers_the_extended_protocol) {
  served_session s;
  s.start();
  s.seen();
  bytes data = extended("rows");
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "12TD1D2D3CZ");
  data = extended("out");
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "12nHdxdycCZ");
  data = extended(" ");
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "12nIZ");
}

TEST(session, suspends_a_portal_at_its_row_limit) {
  served_session s;
  s.start();
  s.seen();
  bytes data = extended("rows", 2);
  write_execute(data, "", 2);
  write_execute(data, "", 0);
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "12TD1D2sD3CCZ");
}

TEST(session, keeps_statements_and_ends_portals_at_sync) {
  served_session s;
  s.start();
  s.seen();
  bytes data;
  write_parse(data, "s", "rows");
  write_describe(data, 'S', "s");
  write_bind(data, "p", "s");
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "1tT2Z");
  data.clear();
  write_execute(data, "p", 0);
  write_bind(data, "p", "s");
  write_sync(data);
  write_bind(data, "p", "s");
  write_close(data, 'S', "s");
  write_close(data, 'S', "never there");
  write_bind(data, "q", "s");
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "E(42704)Z233E(42704)Z");
}

TEST(session, skips_to_sync_after_an_error) {
  served_session s;
  s.start();
  s.seen();
  bytes data = extended("nonsense");
  write_query(data, "rows");
  write_sync(data);
  write_query(data, "rows");
  s.send(data);
  EXPECT_EQ(s.seen(), "E(42601)ZTD1D2D3CZ");
  data = extended("both");
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "12nE(0A000)Z");
}

TEST(session, refuses_parameters_and_binary_results) {
  served_session s;
  s.start();
  s.seen();
  bytes data;
  write_parse(data, "s", "rows");
  const auto bind = [&](std::string_view body) {
    data.push_back(std::byte{'B'});
    const size_t at = data.size();
    data.resize(at + 4);
    store_big_endian(&data[at], static_cast<uint32_t>(body.size() + 4));
    for (const char c : body) data.push_back(static_cast<std::byte>(c));
    write_sync(data);
  };
  bind({"\0s\0\0\0\0\1\xff\xff\xff\xff\0\0", 13});
  bind({"\0s\0\0\0\0\0\0\1\0\1", 11});
  bind({"\0s\0\0\0\0\0\0\3\0\0\0\0\0\0", 15});
  s.send(data);
  EXPECT_EQ(s.seen(), "1E(42601)ZE(0A000)ZE(42601)Z");
}

TEST(session, bounds_statements_portals_and_messages) {
  served_session s({.message_bytes_max = 1000, .names_max = 3});
  s.start();
  s.seen();
  bytes data;
  for (int i = 0; i < 5; ++i) {
    write_parse(data, "s" + std::to_string(i), "rows");
    write_sync(data);
  }
  s.send(data);
  EXPECT_EQ(s.seen(), "1Z1Z1ZE(54000)ZE(54000)Z");
  data.clear();
  for (int i = 0; i < 5; ++i) write_bind(data, "p" + std::to_string(i), "s0");
  write_sync(data);
  s.send(data);
  EXPECT_EQ(s.seen(), "222E(54000)Z");
  s.send(query(std::string(1000, 'x')));
  EXPECT_EQ(s.seen(), "E(08P01)");
  EXPECT_TRUE(s.is_closed());
  EXPECT_EQ(s.reason()->code, errc::limit);
}

TEST(session, a_refused_client_gets_the_reason) {
  served_session s;
  s.server().refuse({errc::limit, "100 clients are connected"}, sqlstate_too_many_connections);
  s.start();
  EXPECT_TRUE(s.is_closed());
  EXPECT_EQ(s.seen(), "E(53300)");
}

}  // namespace
}  // namespace zenith::wire
