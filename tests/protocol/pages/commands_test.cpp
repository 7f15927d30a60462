// The page service's commands: read in any case and spacing, all else refused with what is
// expected.
#include "protocol/pages/commands.hpp"

#include <gtest/gtest.h>

#include "tests/support/hostile_bytes.hpp"

namespace zenith::pages {
namespace {

const std::string id_text = "0123456789abcdef0123456789abcdef";
const timeline_id id = *parse_timeline_id(id_text);

TEST(page_commands, are_read) {
  EXPECT_EQ(*parse_command("basebackup " + id_text + " 16/B374D848"),
            command(basebackup_command{id, lsn{0x16B374D848}}));
  EXPECT_EQ(*parse_command("  BaseBackup\n\t" + id_text + "  16/b374d848 ; "),
            command(basebackup_command{id, lsn{0x16B374D848}}));
  EXPECT_EQ(*parse_command("STATUS " + id_text + ";"), command(status_command{id}));
  EXPECT_EQ(*parse_command("controlfile " + id_text + " 0/1"),
            command(controlfile_command{id, lsn{1}}));
  EXPECT_EQ(*parse_command("pagestream " + id_text), command(pagestream_command{id}));
}

TEST(page_commands, say_what_they_answer_with) {
  using kind = wire::command_shape::kind;
  EXPECT_EQ(shape_of_text("basebackup " + id_text + " 0/1")->how, kind::copy_out);
  EXPECT_EQ(shape_of_text("pagestream " + id_text)->how, kind::copy_both);
  EXPECT_EQ(shape_of_text("status " + id_text)->columns, status_columns());
  EXPECT_EQ(shape_of_text("controlfile " + id_text + " 0/1")->columns.size(), 1u);
  EXPECT_STREQ(tag_of(status_command{id}), "STATUS");
  EXPECT_STREQ(tag_of(pagestream_command{id}), "PAGESTREAM");
  EXPECT_EQ(bytea_text(as_bytes("a\xff")), "\\x61ff");
}

TEST(page_commands, that_are_none_are_refused_with_what_is_expected) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "expected basebackup"},
      {"select 1", "expected basebackup"},
      {"statusx " + id_text, "expected basebackup"},
      {"status", "expected status TIMELINE"},
      {"status main", "32 hex digits"},
      {"status " + id_text + "0", "32 hex digits"},
      {"status " + id_text + " 0/1", "expected status TIMELINE"},
      {"basebackup " + id_text, "TIMELINE LSN"},
      {"basebackup " + id_text + " 0/1 x", "TIMELINE LSN"},
      {"basebackup " + id_text + " 0/0", "0/0"},
      {"controlfile " + id_text + " 0/0", "0/0"},
      {"basebackup " + id_text + " 1", "not an LSN"},
      {"status " + id_text + "; status " + id_text, "expected status TIMELINE"},
  };
  for (const auto& [text, expected] : cases) {
    const auto refused = parse_command(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, errc::invalid_argument);
    EXPECT_NE(refused.error().message.find(expected), std::string::npos) << refused.error().message;
  }
}

TEST(page_commands, survive_hostile_texts) {
  const std::string valid = "basebackup " + id_text + " 16/B374D848";
  zenith::testing::for_each_prefix(as_bytes(valid), [&](byte_view prefix) {
    const auto parsed = parse_command(as_text(prefix));
    // Cut inside its last digits it is another LSN.
    EXPECT_EQ(parsed.has_value(), prefix.size() > valid.find('/') + 1) << as_text(prefix);
  });
  zenith::testing::for_each_flip(as_bytes(valid), [&](byte_view changed) {
    const auto parsed = parse_command(as_text(changed));
    if (!parsed) EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
  });
  zenith::testing::for_each_garbage(6, 5000, 100, [](byte_view garbage) {
    EXPECT_FALSE(parse_command(as_text(garbage)).has_value());
  });
}

}  // namespace
}  // namespace zenith::pages
