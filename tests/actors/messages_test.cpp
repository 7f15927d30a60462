// What the node's messages and errors carry arrives as it was sent.
#include <gtest/gtest.h>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/deep_to_string.hpp>

#include "actors/errors.hpp"
#include "tests/actors/deterministic.hpp"

namespace zenith::actors {
namespace {

// Over the wire and back, as text that shows every field.
template <class T>
void expect_survives(const T& sent, const std::vector<std::string>& shown) {
  deterministic actors;
  std::vector<char> wire;
  caf::binary_serializer sink(actors.system(), wire);
  ASSERT_FALSE(sink(const_cast<T&>(sent)));
  T received{};
  const std::string empty = caf::deep_to_string(received);
  caf::binary_deserializer source(actors.system(), wire);
  ASSERT_FALSE(source(received));
  EXPECT_EQ(source.remaining(), 0u);
  const std::string text = caf::deep_to_string(received);
  EXPECT_EQ(text, caf::deep_to_string(sent));
  EXPECT_NE(text, empty);
  size_t at = 0;
  for (const std::string& one : shown) {
    at = text.find(one, at);
    ASSERT_NE(at, std::string::npos) << one << " is not, or not in its place, in " << text;
    at += one.size();
  }
}

const branch_info branch{"dev", "a1", "main", 11, 12, 13};
const timeline_status timeline{"t1", "dev", "open", 41, 42, 43, "pg", 44, "slow", 45,
                               46,   47,    48,     49, 50, 51, 52,   53, 54,     55};

TEST(messages, of_branches_and_points_arrive_whole) {
  expect_survives(branch, {"dev", "a1", "main", "11", "12", "13"});
  expect_survives(branch_made{branch, true, 21, 22}, {"dev", "13", "true", "21", "22"});
  expect_survives(tag_info{"v1", "a2", "b2", 31, -32}, {"v1", "a2", "b2", "31", "-32"});
  expect_survives(point_info{"a3", "b3", 33, true, true, -34},
                  {"a3", "b3", "33", "true", "true", "-34"});
  expect_survives(point_info{"a3", "b3", 33, false, true, 1}, {"33", "false", "true", "1"});
}

TEST(messages, of_computes_arrive_whole) {
  expect_survives(compute_request{"pg", "dev@5", 5433, true, false, true},
                  {"pg", "dev@5", "5433", "true", "false", "true"});
  expect_survives(compute_request{"pg", "dev@5", 65535, false, true, false},
                  {"65535", "false", "true", "false"});
  expect_survives(compute_info{"pg", "dev", "a4", 51, "running", 5434, "/d", "uri", "rw", 52, "no"},
                  {"pg", "dev", "a4", "51", "running", "5434", "/d", "uri", "rw", "52", "no"});
}

TEST(messages, of_the_node_arrive_whole) {
  expect_survives(timeline, {"t1", "dev", "open", "41", "42", "43", "pg", "44", "slow", "45",
                             "46", "47",  "48",   "49", "50", "51", "52", "53", "54",   "55"});
  expect_survives(node_status{61, "cli", "page", "http", "0.9", {timeline, timeline}, 62, 63},
                  {"61", "cli", "page", "http", "0.9", "t1", "slow", "t1", "slow", "62", "63"});
  expect_survives(gc_reply{64, 65, 66, 67, 68, 69, {"a", "b"}, {"c"}, 70},
                  {"64", "65", "66", "67", "68", "69", "a", "b", "c", "70"});
}

TEST(messages, of_pages_and_comparisons_arrive_whole) {
  expect_survives(page_request{"dev", 71, 72, 73, 74, 75}, {"dev", "71", "72", "73", "74", "75"});
  expect_survives(page_reply{81, 82, std::vector<uint8_t>{83, 84}}, {"81", "82", "83", "84"});
  const mismatch_info mismatch{"base/1", 91, 92};
  expect_survives(mismatch, {"base/1", "91", "92"});
  expect_survives(verify_reply{93, 94, 95, {mismatch}}, {"93", "94", "95", "base/1", "91", "92"});
  expect_survives(export_reply{"/out", "a5", 96, 97}, {"/out", "a5", "96", "97"});
}

TEST(messages, that_are_cut_short_are_refused_at_every_length) {
  deterministic actors;
  std::vector<char> wire;
  caf::binary_serializer sink(actors.system(), wire);
  node_status sent{61, "cli", "page", "http", "0.9", {timeline}};
  ASSERT_FALSE(sink(sent));
  for (size_t length = 0; length < wire.size(); ++length) {
    caf::binary_deserializer source(actors.system(), wire.data(), length);
    node_status received;
    EXPECT_TRUE(source(received)) << length;
  }
}

TEST(errors, keep_their_kind_and_line_between_plain_code_and_messages) {
  for (int code = static_cast<int>(errc::corrupt); code <= static_cast<int>(errc::limit); ++code) {
    const error sent{static_cast<errc>(code), "line " + std::to_string(code)};
    deterministic actors;
    std::vector<char> wire;
    caf::binary_serializer sink(actors.system(), wire);
    caf::error travels = to_caf(sent);
    ASSERT_FALSE(sink(travels));
    caf::error arrived;
    caf::binary_deserializer source(actors.system(), wire);
    ASSERT_FALSE(source(arrived));
    const error received = from_caf(arrived);
    EXPECT_EQ(received.code, sent.code);
    EXPECT_EQ(received.message, sent.message);
    EXPECT_NE(to_string(static_cast<node_error>(code)), "unknown");
  }
}

TEST(errors, of_the_actor_system_become_words) {
  const error late = from_caf(caf::make_error(caf::sec::request_timeout));
  EXPECT_EQ(late.code, errc::unavailable);
  EXPECT_EQ(late.message, "no answer came in time; the node's log may say why");
  const error gone = from_caf(caf::make_error(caf::sec::request_receiver_down));
  EXPECT_EQ(gone.code, errc::unavailable);
  EXPECT_EQ(gone.message, "the part of the node that was asked ended; its log says why");
  const error other = from_caf(caf::make_error(caf::sec::unexpected_message));
  EXPECT_EQ(other.code, errc::unavailable);
  EXPECT_NE(other.message.find("unexpected_message"), std::string::npos) << other.message;
}

TEST(errors, of_ours_without_a_line_say_their_kind) {
  const error bare = from_caf(caf::make_error(node_error::conflict));
  EXPECT_EQ(bare.code, errc::conflict);
  EXPECT_EQ(bare.message, "conflict");
}

}  // namespace
}  // namespace zenith::actors
