// Free pieces: a few with each thread, the others in one list.
#include "storage/layers/page_memory.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "storage/layers/memory_block.hpp"

namespace zenith::layers {
namespace {

constexpr size_t pieces_of_block = memory_block::huge_page_bytes / page_piece_bytes;
/// Smaller blocks than this part of a piece come from the heap, which is good at them.
constexpr size_t block_bytes_min = page_piece_bytes / 2;

/// Never destroyed: pages may outlive all else.
struct free_pieces {
  std::mutex mutex;
  std::vector<void*> free;
  std::vector<memory_block> blocks;

  /// Fills the range. Throws where there is no memory, and has taken nothing then.
  void take(void** begin, void** end) {
    const std::lock_guard lock(mutex);
    const auto wanted = static_cast<size_t>(end - begin);
    while (free.size() < wanted) {
      // Nothing is given back where there is no room for it.
      free.reserve((blocks.size() + 1) * pieces_of_block);
      blocks.emplace_back(memory_block::huge_page_bytes);
      for (size_t i = pieces_of_block; i-- > 0;)
        free.push_back(blocks.back().data() + i * page_piece_bytes);
    }
    std::copy(free.end() - static_cast<ptrdiff_t>(wanted), free.end(), begin);
    free.resize(free.size() - wanted);
  }
  void give(void* const* begin, void* const* end) noexcept {
    const std::lock_guard lock(mutex);
    free.insert(free.end(), begin, end);
  }
};

free_pieces& shared() {
  static auto* const all = new free_pieces;
  return *all;
}

/// What a thread has at hand: the last one given is the next one taken, and is in its caches.
struct at_hand {
  static constexpr size_t max = 8;
  std::array<void*, max> pieces;
  size_t count;
  bool is_over;  // the thread ends, and may still destroy what holds pages
};
constinit thread_local at_hand mine{};

struct end_of_thread {
  ~end_of_thread() {
    shared().give(mine.pieces.data(), mine.pieces.data() + mine.count);
    mine.count = 0;
    mine.is_over = true;
  }
  /// The destructor will be called.
  void is_awaited() {}
};
thread_local end_of_thread at_end;

}  // namespace

void* take_page_piece() {
  if (mine.count == 0) {
    at_end.is_awaited();
    const size_t wanted = mine.is_over ? 1 : at_hand::max / 2;
    shared().take(mine.pieces.data(), mine.pieces.data() + wanted);
    mine.count = wanted;
  }
  return mine.pieces[--mine.count];
}

void give_page_piece(void* piece) noexcept {
  if (mine.is_over) return shared().give(&piece, &piece + 1);
  if (mine.count == 0) at_end.is_awaited();
  if (mine.count == at_hand::max) {
    // The oldest go: the newest are in the processor's caches.
    constexpr size_t half = at_hand::max / 2;
    shared().give(mine.pieces.data(), mine.pieces.data() + half);
    std::copy(mine.pieces.begin() + half, mine.pieces.end(), mine.pieces.begin());
    mine.count = half;
  }
  mine.pieces[mine.count++] = piece;
}

page_memory_bytes page_memory_in_use() {
  const std::lock_guard lock(shared().mutex);
  const size_t all = shared().blocks.size() * pieces_of_block;
  const size_t free = shared().free.size();
  return {(all - free) * page_piece_bytes, free * page_piece_bytes};
}

block_bytes make_block_bytes(size_t size_bytes) {
  const bool is_piece = size_bytes >= block_bytes_min && size_bytes <= page_piece_bytes;
  auto* const memory =
      is_piece ? static_cast<std::byte*>(take_page_piece()) : new std::byte[size_bytes];
  return {memory, free_block_bytes{is_piece}};
}

}  // namespace zenith::layers
