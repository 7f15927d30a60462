// page_memory: pieces serve again, whichever thread gives them back.
#include "storage/layers/page_memory.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "storage/layers/page_cache.hpp"

namespace zenith::layers {
namespace {

TEST(page_memory, pieces_do_not_overlap_and_serve_again) {
  constexpr size_t count = 1000;
  std::vector<void*> all(count);
  for (size_t i = 0; i < count; ++i) {
    all[i] = take_page_piece();
    std::memset(all[i], static_cast<int>(i % 251), page_piece_bytes);
  }
  for (size_t i = 0; i < count; ++i) {
    const auto* const bytes = static_cast<const unsigned char*>(all[i]);
    ASSERT_EQ(bytes[0], i % 251);
    ASSERT_EQ(bytes[page_piece_bytes - 1], i % 251);
  }
  const page_memory_bytes before = page_memory_in_use();
  for (void* const one : all) give_page_piece(one);
  std::vector<void*> again(count);
  for (void*& one : again) one = take_page_piece();
  EXPECT_EQ(std::set<void*>(again.begin(), again.end()).size(), count);
  EXPECT_EQ(page_memory_in_use().used, before.used);
  EXPECT_EQ(page_memory_in_use().free, before.free);
  for (void* const one : again) give_page_piece(one);
}

TEST(page_memory, is_whole_again_when_threads_have_ended) {
  std::vector<void*> taken(100);
  std::thread([&] {
    for (void*& one : taken) one = take_page_piece();
  }).join();
  const size_t used = page_memory_in_use().used;
  std::thread([&] {
    for (void* const one : taken) give_page_piece(one);
  }).join();
  EXPECT_EQ(page_memory_in_use().used, used - taken.size() * page_piece_bytes);
}

TEST(page_memory, has_what_is_given_back_when_a_thread_ends) {
  const size_t used = page_memory_in_use().used;
  std::thread([] {
    // Destroyed after what the thread keeps of pieces: it was made before.
    static thread_local std::shared_ptr<page_entries::held> late;
    late = cached_history::page_to_fill();
  }).join();
  EXPECT_EQ(page_memory_in_use().used, used);
}

TEST(page_memory, a_page_and_what_is_noted_beside_it_fit_into_a_piece) {
  const size_t used = page_memory_in_use().used + page_memory_in_use().free;
  std::vector<std::shared_ptr<page_entries::held>> pages;
  for (int i = 0; i < 1000; ++i) pages.push_back(cached_history::page_to_fill());
  const page_memory_bytes now = page_memory_in_use();
  EXPECT_GE(now.used, pages.size() * page_piece_bytes);
  EXPECT_GE(now.used + now.free, used);
}

TEST(page_memory, blocks_of_a_page_are_pieces_and_others_are_not) {
  const auto used_by = [](size_t size_bytes) {
    std::vector<block_bytes> all;
    const size_t before = page_memory_in_use().used;
    for (int i = 0; i < 100; ++i) {
      all.push_back(make_block_bytes(size_bytes));
      std::memset(all.back().get(), i, size_bytes);
    }
    return page_memory_in_use().used - before;
  };
  EXPECT_EQ(used_by(1000), 0u);
  EXPECT_GE(used_by(8192), 90 * page_piece_bytes);
  EXPECT_EQ(used_by(page_piece_bytes + 1), 0u);
}

}  // namespace
}  // namespace zenith::layers
