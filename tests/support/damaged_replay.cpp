// damaged_replay: what redo does with bytes that are almost right.
#include "tests/support/damaged_replay.hpp"

#include <memory>

#include "storage/redo/redo.hpp"

namespace zenith::testing {
namespace {

/// Changes up to four bytes, or bits; half of the time near the front, where headers are.
void damage(std::mt19937_64& random, byte_span data) {
  if (data.empty()) return;
  for (auto changes = 1 + random() % 4; changes > 0; --changes) {
    const auto range = random() % 2 == 0 ? std::min<size_t>(data.size(), 64) : data.size();
    auto& byte = data[random() % range];
    byte = random() % 2 == 0 ? static_cast<std::byte>(random())
                             : byte ^ static_cast<std::byte>(1u << random() % 8);
  }
}

/// A copy of exactly its own size, so that reading past it is seen.
std::unique_ptr<std::byte[]> copy_of(byte_view data) {
  auto copy = std::make_unique<std::byte[]>(data.size());
  std::ranges::copy(data, copy.get());
  return copy;
}

}  // namespace

void damaged_replay::operator()(const pg::record& record, const pg::block_reference& reference,
                                const page& before) {
  if (record.rmgr != rmgr_ || ++seen_ % every_ != 0) return;
  const auto main = copy_of(record.main_data);
  const auto data = copy_of(reference.data);
  byte_span main_span{main.get(), record.main_data.size()};
  byte_span data_span{data.get(), reference.data.size()};
  page p = before;
  switch (random_() % 5) {
    case 0:
      damage(random_, main_span);
      break;
    case 1:
      damage(random_, data_span);
      break;
    case 2:
      damage(random_, p.span());
      break;
    case 3:
      main_span = main_span.first(random_() % (main_span.size() + 1));
      break;
    default:
      data_span = data_span.first(random_() % (data_span.size() + 1));
      break;
  }
  // A cut copy is made anew, so that its end is the end of its memory.
  const auto exact_main = copy_of(main_span);
  const auto exact_data = copy_of(data_span);
  auto damaged = std::make_unique<pg::record>(record);
  damaged->main_data = {exact_main.get(), main_span.size()};
  for (auto& block : std::span{damaged->block_storage.data(), damaged->block_count}) {
    if (block.id == reference.id) block.data = {exact_data.get(), data_span.size()};
    block.has_image = false;
  }
  try_one(*damaged, reference, p);
}

void damaged_replay::try_one(const pg::record& record, const pg::block_reference& reference,
                             page p) {
  // On the heap, so that the sanitizer watches both of its ends.
  const auto target = std::make_unique<page>(p);
  ++tried_;
  if (!redo::apply(record, reference.page_key(), *target)) ++refused_;
}

}  // namespace zenith::testing
