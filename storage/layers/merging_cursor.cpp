// A heap of the inputs' next versions.
#include "storage/layers/merging_cursor.hpp"

#include <fmt/format.h>

#include <utility>

namespace zenith::layers {
namespace {

std::strong_ordering order(const version_entry& a, const version_entry& b) {
  if (const auto by_key = a.k <=> b.k; by_key != 0) return by_key;
  return b.at <=> a.at;
}

}  // namespace

merging_cursor::merging_cursor(std::vector<input> inputs) : inputs_(std::move(inputs)) {}

result<bool> merging_cursor::next(version_entry& into) {
  if (!started_) {
    heap_.resize(inputs_.size());
    for (size_t i = 0; i < inputs_.size(); ++i) heap_[i].input = i;
    for (size_t i = inputs_.size(); i > 0; --i) ZENITH_TRY(advance(i - 1, nullptr));
    started_ = true;
  } else if (!heap_.empty()) {
    const version_entry last = heap_.front().entry;
    ZENITH_TRY(advance(0, &last));
    if (!heap_.empty() && order(heap_.front().entry, last) == 0)
      return fail(
          errc::corrupt,
          fmt::format("both {} and {} hold a version of {} at {}", inputs_[source_].name,
                      inputs_[heap_.front().input].name, to_string(last.k), to_string(last.at)));
  }
  if (heap_.empty()) return false;
  into = heap_.front().entry;
  source_ = heap_.front().input;
  return true;
}

/// Puts the next version of the input that stands there in its place; `last`: the one before it.
result<void> merging_cursor::advance(size_t place, const version_entry* last) {
  waiting& one = heap_[place];
  const input& from = inputs_[one.input];
  ZENITH_TRY_ASSIGN(const bool more, from.versions->next(one.entry));
  if (!more) {
    one = heap_.back();
    heap_.pop_back();
  } else if (last != nullptr && order(*last, one.entry) >= 0) {
    return fail(errc::corrupt,
                fmt::format("{} holds {} at {} behind {} at {}", from.name, to_string(one.entry.k),
                            to_string(one.entry.at), to_string(last->k), to_string(last->at)));
  }
  sift_down(place);
  return {};
}

void merging_cursor::sift_down(size_t place) {
  for (;;) {
    const size_t left = 2 * place + 1;
    if (left >= heap_.size()) return;
    const bool is_right_smaller =
        left + 1 < heap_.size() && order(heap_[left + 1].entry, heap_[left].entry) < 0;
    const size_t smaller = left + (is_right_smaller ? 1 : 0);
    if (order(heap_[place].entry, heap_[smaller].entry) <= 0) return;
    std::swap(heap_[place], heap_[smaller]);
    place = smaller;
  }
}

}  // namespace zenith::layers
