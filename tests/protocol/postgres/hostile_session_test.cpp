// Sessions and hostile bytes: any chunking, cut, change or garbage; nothing breaks, all is bounded.
#include <gtest/gtest.h>

#include "tests/protocol/postgres/served_session.hpp"
#include "tests/support/hostile_bytes.hpp"

namespace zenith::wire {
namespace {

/// A stream that visits every part of the protocol.
bytes long_story() {
  bytes out;
  write_ssl_request(out);
  write_startup(out, {{"user", "u"}, {"database", "d"}});
  write_query(out, "rows");
  const bytes first = extended("rows", 2);
  out.insert(out.end(), first.begin(), first.end());
  write_close(out, 'P', "");
  write_flush(out);
  write_sync(out);
  write_query(out, "out");
  write_query(out, "both");
  write_copy_data(out, as_bytes("1"));
  write_copy_done(out);
  write_query(out, "absent");
  write_terminate(out);
  return out;
}

TEST(hostile_session, answers_the_same_in_any_chunking) {
  const bytes story = long_story();
  served_session whole;
  whole.send(story);
  const bytes expected = whole.take();
  for (size_t chunk = 1; chunk < 20; ++chunk) {
    served_session s;
    for (size_t at = 0; at < story.size(); at += chunk)
      s.send(byte_view(story).subspan(at, std::min(chunk, story.size() - at)));
    EXPECT_EQ(s.take(), expected);
    EXPECT_TRUE(s.is_closed());
  }
}

TEST(hostile_session, survives_any_prefix_and_any_changed_byte) {
  const bytes story = long_story();
  zenith::testing::for_each_prefix(story, [](byte_view prefix) {
    served_session s;
    s.send(prefix);
    EXPECT_FALSE(s.is_closed());
  });
  zenith::testing::for_each_flip(story, [](byte_view changed) {
    served_session s;
    s.send(changed);
    if (s.reason()) EXPECT_FALSE(s.reason()->message.empty());
  });
}

TEST(hostile_session, survives_garbage_before_and_after_its_startup) {
  zenith::testing::for_each_garbage(4, 5000, 300, [](byte_view garbage) {
    served_session fresh;
    fresh.send(garbage);
    served_session started;
    started.start();
    started.send(garbage);
    EXPECT_LT(started.take().size(), 10000u);
  });
}

}  // namespace
}  // namespace zenith::wire
