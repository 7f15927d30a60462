// What is sent of a session's output and the pages between it, in any pieces.
#include "protocol/pages/outgoing.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace zenith::pages {
namespace {

std::shared_ptr<const page> page_of(char letter) {
  auto made = std::make_shared<page>();
  made->data.fill(static_cast<std::byte>(letter));
  return made;
}

void add_text(bytes& to, std::string_view text) {
  const byte_view added = as_bytes(text);
  to.insert(to.end(), added.begin(), added.end());
}

/// Sends at most so many bytes, as a socket would take them.
std::string send(outgoing& out, size_t most, size_t parts_max) {
  std::vector<byte_view> parts(parts_max);
  parts.resize(out.gather(parts));
  std::string taken;
  for (const byte_view part : parts) taken += as_text(part);
  taken.resize(std::min(taken.size(), most));
  out.sent(taken.size());
  return taken;
}

TEST(outgoing, gives_text_and_pages_in_the_order_in_which_they_came) {
  bytes text;
  outgoing out(text);
  EXPECT_TRUE(out.is_empty());
  add_text(text, "one");
  out.add_page(page_of('A'));
  out.add_page(page_of('B'));
  add_text(text, "two");
  EXPECT_EQ(out.size_bytes(), 6 + 2 * page_size_bytes);
  const std::string expected =
      "one" + std::string(page_size_bytes, 'A') + std::string(page_size_bytes, 'B') + "two";
  EXPECT_EQ(send(out, SIZE_MAX, 16), expected);
  EXPECT_TRUE(out.is_empty());
  EXPECT_TRUE(text.empty()) << "what is sent is given up";
}

TEST(outgoing, a_page_lies_where_it_was_and_is_given_up_once_it_is_sent) {
  bytes text;
  outgoing out(text);
  const auto data = page_of('A');
  out.add_page(data);
  std::array<byte_view, 4> parts;
  ASSERT_EQ(out.gather(parts), 1u);
  EXPECT_EQ(parts[0].data(), data->begin());
  out.sent(page_size_bytes - 1);
  EXPECT_EQ(data.use_count(), 2);
  out.sent(1);
  EXPECT_EQ(data.use_count(), 1);
}

TEST(outgoing, any_pieces_give_the_same_bytes_and_sent_text_does_not_pile_up) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  bytes text;
  outgoing out(text);
  std::string expected;
  std::string sent;
  size_t largest = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string added(random() % 300, static_cast<char>('a' + random() % 26));
    add_text(text, added);
    expected += added;
    if (random() % 20 == 0) {
      const char letter = static_cast<char>('A' + random() % 26);
      out.add_page(page_of(letter));
      expected += std::string(page_size_bytes, letter);
    }
    // Never all of it: a client that is always a little behind.
    if (out.size_bytes() > 20'000)
      sent += send(out, out.size_bytes() - 10'000 - random() % 5000, 1 + random() % 5);
    EXPECT_EQ(out.size_bytes(), expected.size() - sent.size());
    largest = std::max(largest, text.size());
  }
  while (!out.is_empty()) sent += send(out, 1 + random() % 9000, 3);
  EXPECT_EQ(sent, expected);
  EXPECT_LT(largest, 200'000u);
}

}  // namespace
}  // namespace zenith::pages
