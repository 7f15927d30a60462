// Messages of both sides: what is built is parsed, malformed ones are refused, none crashes.
#include <gtest/gtest.h>

#include "protocol/postgres/backend.hpp"
#include "protocol/postgres/frontend.hpp"
#include "protocol/postgres/replication.hpp"
#include "tests/support/hostile_bytes.hpp"

namespace zenith::wire {
namespace {

/// The one message in a buffer; its body is valid as long as the buffer.
frame only(const bytes& buffer) {
  EXPECT_GE(buffer.size(), 5u);
  EXPECT_EQ(load_big_endian<uint32_t>(&buffer[1]), buffer.size() - 1);
  return {static_cast<char>(buffer[0]), byte_view(buffer).subspan(5)};
}

std::vector<bytes> frontend_samples() {
  std::vector<bytes> samples(13);
  write_query(samples[0], "status x");
  write_parse(samples[1], "s1", "status x");
  write_bind(samples[2], "p1", "s1");
  write_describe(samples[3], 'P', "p1");
  write_close(samples[4], 'S', "s1");
  write_execute(samples[5], "p1", 7);
  write_sync(samples[6]);
  write_flush(samples[7]);
  write_terminate(samples[8]);
  write_copy_data(samples[9], as_bytes("data"));
  write_copy_done(samples[10]);
  write_copy_fail(samples[11], "why");
  // A Bind with parameters and formats of all kinds, as no writer here makes it.
  samples[12] = bytes(5);
  samples[12][0] = std::byte{'B'};
  for (const char c : std::string("p\0s\0\0\1\0\1\0\2\0\0\0\3"
                                  "abc\xff\xff\xff\xff\0\2\0\0\0\1",
                                  27))
    samples[12].push_back(static_cast<std::byte>(c));
  store_big_endian(&samples[12][1], static_cast<uint32_t>(samples[12].size() - 1));
  return samples;
}

TEST(frontend, messages_come_back_as_built) {
  const auto samples = frontend_samples();
  EXPECT_EQ(std::get<query_message>(*parse_frontend(only(samples[0]))).text, "status x");
  const auto parse = std::get<parse_message>(*parse_frontend(only(samples[1])));
  EXPECT_EQ(parse.statement, "s1");
  EXPECT_EQ(parse.text, "status x");
  EXPECT_EQ(std::get<bind_message>(*parse_frontend(only(samples[2]))).portal, "p1");
  EXPECT_EQ(std::get<describe_message>(*parse_frontend(only(samples[3]))).kind, 'P');
  EXPECT_EQ(std::get<close_message>(*parse_frontend(only(samples[4]))).name, "s1");
  EXPECT_EQ(std::get<execute_message>(*parse_frontend(only(samples[5]))).rows_max, 7u);
  EXPECT_EQ(as_text(std::get<copy_data_message>(*parse_frontend(only(samples[9]))).data), "data");
  EXPECT_EQ(std::get<copy_fail_message>(*parse_frontend(only(samples[11]))).text, "why");
  const auto bind = parse_frontend(only(samples[12]));
  ASSERT_TRUE(bind.has_value());
  EXPECT_EQ(std::get<bind_message>(*bind).parameters, 2u);
  EXPECT_EQ(std::get<bind_message>(*bind).result_formats, (std::vector<uint16_t>{0, 1}));
}

TEST(frontend, the_start_of_copy_data_and_what_follows_are_the_whole_message) {
  bytes whole;
  write_copy_data(whole, as_bytes("head and body"));
  bytes parts;
  write_copy_data_start(parts, as_bytes("head"), 9);
  for (const char c : std::string(" and body")) parts.push_back(static_cast<std::byte>(c));
  EXPECT_EQ(parts, whole);
}

TEST(frontend, messages_that_are_cut_or_too_long_are_refused) {
  for (const bytes& sample : frontend_samples()) {
    const frame whole = only(sample);
    ASSERT_TRUE(parse_frontend(whole).has_value()) << whole.type;
    if (whole.type == 'd') continue;  // any bytes are data
    zenith::testing::for_each_prefix(whole.body, [&](byte_view body) {
      EXPECT_FALSE(parse_frontend({whole.type, body}).has_value()) << whole.type << body.size();
    });
    bytes longer(whole.body.begin(), whole.body.end());
    longer.push_back(std::byte{1});
    EXPECT_FALSE(parse_frontend({whole.type, longer}).has_value()) << whole.type;
  }
}

TEST(frontend, hostile_messages_are_parsed_or_refused) {
  for (const bytes& sample : frontend_samples())
    zenith::testing::for_each_flip(only(sample).body, [&](byte_view body) {
      const auto parsed = parse_frontend({static_cast<char>(sample[0]), body});
      if (!parsed) EXPECT_FALSE(parsed.error().message.empty());
    });
  size_t refused = 0;
  zenith::testing::for_each_garbage(1, 20000, 40, [&](byte_view garbage) {
    if (garbage.empty()) return;
    if (!parse_frontend({static_cast<char>(garbage[0]), garbage.subspan(1)})) ++refused;
  });
  EXPECT_GT(refused, 15000u);
}

TEST(frontend, a_message_of_an_unknown_type_is_unsupported) {
  for (const char type : {'F', 'p', '\0', 'q', '\xff'}) {
    const auto parsed = parse_frontend({type, {}});
    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().code, errc::unsupported);
  }
}

TEST(startup, packets_come_back_and_malformed_ones_are_refused) {
  bytes packet;
  write_startup(packet, {{"user", "u"}, {"database", "d"}});
  const byte_view body = byte_view(packet).subspan(4);
  const auto start = std::get<startup_message>(*parse_startup(body));
  EXPECT_EQ(start.major, 3);
  EXPECT_EQ(start.minor, 0);
  EXPECT_EQ(start.parameters.size(), 2u);
  EXPECT_EQ(start.parameters[1], (std::pair<std::string, std::string>{"database", "d"}));
  zenith::testing::for_each_prefix(
      body, [](byte_view prefix) { EXPECT_FALSE(parse_startup(prefix).has_value()); });
  zenith::testing::for_each_flip(body, [](byte_view changed) { (void)parse_startup(changed); });
  zenith::testing::for_each_garbage(2, 20000, 60,
                                    [](byte_view garbage) { (void)parse_startup(garbage); });
}

std::vector<bytes> backend_samples() {
  std::vector<bytes> samples(16);
  write_authentication_ok(samples[0]);
  write_parameter_status(samples[1], "server_version", "15");
  write_ready_for_query(samples[2]);
  write_row_description(samples[3], {column::text("a"), column::int8("b"), column::bytea("c")});
  write_data_row(samples[4], {"x", std::nullopt, ""});
  write_command_complete(samples[5], "STATUS");
  write_error(samples[6], severity::fatal, "08P01", "no");
  write_copy_out_response(samples[7]);
  write_copy_both_response(samples[8]);
  write_copy_data(samples[9], as_bytes("z"));
  write_copy_done(samples[10]);
  write_no_data(samples[11]);
  write_parameter_description(samples[12]);
  write_portal_suspended(samples[13]);
  write_empty_query_response(samples[14]);
  write_negotiate_version(samples[15], {"_pq_.x"});
  return samples;
}

TEST(backend, messages_come_back_as_built) {
  const auto samples = backend_samples();
  EXPECT_EQ(std::get<authentication>(*parse_backend(only(samples[0]))).code, 0u);
  EXPECT_EQ(std::get<parameter_status>(*parse_backend(only(samples[1]))).value, "15");
  EXPECT_EQ(std::get<ready_for_query>(*parse_backend(only(samples[2]))).status, 'I');
  EXPECT_EQ(std::get<row_description>(*parse_backend(only(samples[3]))).columns,
            (std::vector{column::text("a"), column::int8("b"), column::bytea("c")}));
  EXPECT_EQ(std::get<data_row>(*parse_backend(only(samples[4]))).values,
            (row{"x", std::nullopt, ""}));
  EXPECT_EQ(std::get<command_complete>(*parse_backend(only(samples[5]))).tag, "STATUS");
  const auto failure = std::get<error_response>(*parse_backend(only(samples[6])));
  EXPECT_EQ(failure.severity, "FATAL");
  EXPECT_EQ(failure.sqlstate, "08P01");
  EXPECT_EQ(failure.message, "no");
  EXPECT_EQ(as_text(std::get<copy_data>(*parse_backend(only(samples[9]))).data), "z");
  EXPECT_EQ(std::get<other_message>(*parse_backend(only(samples[11]))).type, 'n');
}

TEST(backend, hostile_messages_are_parsed_or_refused) {
  for (const bytes& sample : backend_samples()) {
    const char type = static_cast<char>(sample[0]);
    const byte_view body = byte_view(sample).subspan(5);
    const bool is_looked_at = std::string_view("RSZTDCE").find(type) != std::string_view::npos;
    zenith::testing::for_each_prefix(body, [&](byte_view prefix) {
      EXPECT_EQ(parse_backend({type, prefix}).has_value(), !is_looked_at) << type;
    });
    zenith::testing::for_each_flip(body, [&](byte_view changed) {
      (void)parse_backend({type, changed});
    });
  }
  zenith::testing::for_each_garbage(3, 20000, 60, [](byte_view garbage) {
    if (!garbage.empty()) (void)parse_backend({static_cast<char>(garbage[0]), garbage.subspan(1)});
  });
}

TEST(replication, messages_are_parsed_as_the_walsender_writes_them) {
  bytes data(xlog_data_header_size_bytes);
  data[0] = std::byte{'w'};
  store_big_endian(&data[1], uint64_t{0x1600000000});
  store_big_endian(&data[9], uint64_t{0x1600000100});
  store_big_endian(&data[17], int64_t{42});
  for (const char c : std::string("wal")) data.push_back(static_cast<std::byte>(c));
  const auto parsed = parse_replication_message(data);
  ASSERT_TRUE(parsed.has_value());
  const auto wal = std::get<xlog_data>(*parsed);
  EXPECT_EQ(wal.start, lsn{0x1600000000});
  EXPECT_EQ(wal.server_end, lsn{0x1600000100});
  EXPECT_EQ(wal.sent_at, timestamp{42});
  EXPECT_EQ(as_text(wal.wal), "wal");
  for (size_t size = 0; size < xlog_data_header_size_bytes; ++size)
    EXPECT_FALSE(parse_replication_message(byte_view(data).first(size)).has_value());

  bytes alive(keepalive_size_bytes);
  alive[0] = std::byte{'k'};
  store_big_endian(&alive[1], uint64_t{0x1600000100});
  alive[17] = std::byte{1};
  const auto keepalive = std::get<primary_keepalive>(*parse_replication_message(alive));
  EXPECT_EQ(keepalive.server_end, lsn{0x1600000100});
  EXPECT_TRUE(keepalive.reply_requested);
  zenith::testing::for_each_prefix(
      alive, [](byte_view prefix) { EXPECT_FALSE(parse_replication_message(prefix).has_value()); });
  store_big_endian(&data[1], UINT64_MAX - 1);
  EXPECT_FALSE(parse_replication_message(data).has_value());
  EXPECT_EQ(parse_replication_message(as_bytes("x")).error().code, errc::unsupported);
}

TEST(replication, a_standby_status_comes_back_as_built) {
  const standby_status status{lsn{3}, lsn{2}, lsn{1}, timestamp{-5}, true};
  const bytes encoded = encode(status);
  EXPECT_EQ(encoded.size(), standby_status_size_bytes);
  EXPECT_EQ(*parse_standby_status(encoded), status);
  zenith::testing::for_each_prefix(
      encoded, [](byte_view prefix) { EXPECT_FALSE(parse_standby_status(prefix).has_value()); });
}

}  // namespace
}  // namespace zenith::wire
