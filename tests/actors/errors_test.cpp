// Errors on their way through messages and back.
#include "actors/errors.hpp"

#include <gtest/gtest.h>

namespace zenith::actors {
namespace {

TEST(errors, come_back_as_they_went) {
  for (int code = static_cast<int>(errc::corrupt); code <= static_cast<int>(errc::limit); ++code) {
    const error back = from_caf(to_caf({static_cast<errc>(code), "what happened, and to what"}));
    EXPECT_EQ(back.code, static_cast<errc>(code));
    EXPECT_EQ(back.message, "what happened, and to what");
  }
}

TEST(errors, of_caf_itself_and_none_at_all_have_words) {
  EXPECT_EQ(from_caf(caf::make_error(caf::sec::request_timeout)).code, errc::unavailable);
  EXPECT_FALSE(from_caf(caf::make_error(caf::sec::request_timeout)).message.empty());
  EXPECT_EQ(from_caf(caf::make_error(caf::exit_reason::kill)).code, errc::unavailable);
  // The reason of an actor that ended in order.
  EXPECT_EQ(from_caf(caf::error{}).code, errc::unavailable);
  EXPECT_FALSE(from_caf(caf::error{}).message.empty());
}

}  // namespace
}  // namespace zenith::actors
