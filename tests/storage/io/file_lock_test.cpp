// The lock between holders of one process and of two.
#include "storage/io/file_lock.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/process.hpp"

namespace zenith {
namespace {

TEST(file_lock, is_taken_by_one_and_names_its_process_to_others) {
  const testing::temporary_directory directory;
  const path name = directory / "lock";
  auto first = file_lock::try_lock(name);
  ASSERT_TRUE(first) << first.error().message;
  const auto second = file_lock::try_lock(name);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, errc::conflict);
  EXPECT_EQ(second.error().message,
            name.string() + " is locked by process " + std::to_string(::getpid()));
  first->reset();
  EXPECT_TRUE(file_lock::try_lock(name));
}

TEST(file_lock, ends_with_the_process_that_holds_it) {
  const testing::temporary_directory directory;
  const path name = directory / "lock";
  int ready[2], go_on[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go_on), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto held = file_lock::try_lock(name);
    char byte = held ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1 || ::read(go_on[0], &byte, 1) != 1) ::_exit(2);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  const auto refused = file_lock::try_lock(name);
  EXPECT_NE(refused.error().message.find(std::to_string(child)), std::string::npos);
  ASSERT_EQ(::write(go_on[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(file_lock::try_lock(name));
  for (const int end : {ready[0], ready[1], go_on[0], go_on[1]}) ::close(end);
}

TEST(file_lock, its_holder_can_be_asked_for_without_taking_it) {
  const testing::temporary_directory directory;
  const path name = directory / "lock";
  EXPECT_EQ(file_lock::holder_of(name).value(), std::nullopt);
  {
    const auto held = file_lock::try_lock(name);
    ASSERT_TRUE(held);
    EXPECT_EQ(file_lock::holder_of(name).value(), ::getpid());
  }
  EXPECT_EQ(file_lock::holder_of(name).value(), std::nullopt);
  EXPECT_TRUE(file_lock::try_lock(name));
}

TEST(file_lock, needs_its_directory) {
  const testing::temporary_directory directory;
  EXPECT_EQ(file_lock::try_lock(directory / "none/lock").error().code, errc::not_found);
}

}  // namespace
}  // namespace zenith
