// Going through a memory layer's versions in the order of files.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "storage/layers/memory_layer.hpp"
#include "storage/layers/version_in_memory.hpp"

namespace zenith::layers {

/// Keys are sorted once, as two numbers: their place among the different values of all fields but
/// the last, of which there are few, and that last one.
class memory_layer::all_versions final : public version_cursor {
 public:
  all_versions(const memory_layer& layer, lsn until)
      : until_(until), batches_(layer.ends_.batches(until)) {
    gather_keys(layer);
    begin_key();
    for (size_t i = 0; i < ahead_max; ++i) look_ahead(i);
  }

  result<bool> next(version_entry& into) override {
    const size_t at = given_ % ahead_max;
    const coming next = ahead_[at];
    if (next.what == nullptr) return next_batch(into);
    look_ahead(at);
    ++given_;
    fill(next, into);
    return true;
  }

 private:
  struct sorted_key {
    uint64_t order;  // place of the fork among all, and block
    const version_run* newest;
  };
  /// A version whose data was asked of memory, where it lies anywhere, some versions before it is
  /// given.
  struct coming {
    const version* what;  // nullptr: there are no more
    uint64_t order;
  };
  static constexpr size_t ahead_max = 16;

  void look_ahead(size_t into) {
    while (at_ != keys_.size()) {
      if (left_ != run_->begin()) {
        --left_;
        __builtin_prefetch(left_->data());
        __builtin_prefetch(left_->data() + 64);
        ahead_[into] = {left_, keys_[at_].order};
        return;
      }
      run_ = run_->older;
      if (run_ == nullptr) {
        ++at_;
        begin_key();
      } else {
        left_ = run_->end();
      }
    }
    ahead_[into] = {nullptr, 0};
  }

  void gather_keys(const memory_layer& layer) {
    std::unordered_map<key, uint32_t> numbers;
    key last;
    uint32_t number = 0;
    layer.table_.for_each([&](key k, const version_run& newest) {
      const uint32_t block = k.d;
      k.d = 0;
      if (k != last) {
        number = numbers.try_emplace(k, static_cast<uint32_t>(numbers.size())).first->second;
        last = k;
      }
      keys_.push_back({uint64_t{number} << 32 | block, &newest});
    });
    forks_.resize(numbers.size());
    for (const auto& [fork, given] : numbers) forks_[given] = fork;
    std::vector<uint32_t> by_order(forks_.size());
    for (uint32_t i = 0; i < by_order.size(); ++i) by_order[i] = i;
    std::sort(by_order.begin(), by_order.end(),
              [this](uint32_t a, uint32_t b) { return forks_[a] < forks_[b]; });
    std::vector<uint32_t> places(forks_.size());
    for (uint32_t i = 0; i < by_order.size(); ++i) places[by_order[i]] = i;
    for (sorted_key& one : keys_)
      one.order = uint64_t{places[one.order >> 32]} << 32 | static_cast<uint32_t>(one.order);
    std::sort(forks_.begin(), forks_.end());
    std::sort(keys_.begin(), keys_.end(),
              [](const sorted_key& a, const sorted_key& b) { return a.order < b.order; });
  }

  /// The newest versions that are not published are passed over.
  void begin_key() {
    prefetch();
    for (; at_ != keys_.size(); ++at_) {
      for (run_ = keys_[at_].newest; run_ != nullptr; run_ = run_->older)
        if (run_->begin()->at() <= until_) break;
      if (run_ == nullptr) continue;
      left_ = run_->end_at(until_);
      return;
    }
  }

  /// Runs lie anywhere as well.
  void prefetch() const {
    constexpr size_t far = 16;
    constexpr size_t near = 8;
    if (at_ + far < keys_.size()) __builtin_prefetch(keys_[at_ + far].newest);
    if (at_ + near < keys_.size()) __builtin_prefetch(keys_[at_ + near].newest->end() - 1);
  }

  void fill(const coming& next, version_entry& into) const {
    const version& v = *next.what;
    into.k = forks_[next.order >> 32];
    into.k.d = static_cast<uint32_t>(next.order);
    into.at = v.at();
    into.kind = v.what();
    into.data = {};
    into.record_start = {};
    into.source = {};
    into.source_at = {};
    into.is_short = false;
    switch (v.what()) {
      case version_kind::changes:
      case version_kind::initialises:
        into.data = stored_as<stored_record>(v).data();
        into.record_start = stored_as<stored_record>(v).start;
        into.is_short = stored_as<stored_record>(v).is_short != 0;
        break;
      case version_kind::value:
        into.data = stored_as<stored_value>(v).data();
        break;
      case version_kind::absent:
        break;
      case version_kind::copy:
        into.source = stored_as<stored_copy>(v).source;
        into.source_at = stored_as<stored_copy>(v).source_at;
        break;
    }
  }

  /// Behind all other keys, as their kind is the last.
  bool next_batch(version_entry& into) {
    if (next_batch_ == batches_.size()) return false;
    const commit_index::batch& one = batches_[next_batch_++];
    into = {};
    into.k = key::transaction_ends(one.first_end.value());
    into.at = one.first_end;
    into.kind = version_kind::value;
    into.data = one.encoded;
    return true;
  }

  const lsn until_;
  std::vector<key> forks_;        // sorted; what keys are but for their last field
  std::vector<sorted_key> keys_;  // sorted
  size_t at_ = 0;
  const version_run* run_ = nullptr;
  const version* left_ = nullptr;  // versions of the run before it are to come
  std::array<coming, ahead_max> ahead_;
  size_t given_ = 0;
  std::vector<commit_index::batch> batches_;
  size_t next_batch_ = 0;
};

std::unique_ptr<version_cursor> memory_layer::cursor() const {
  return std::make_unique<all_versions>(*this, published());
}

}  // namespace zenith::layers
