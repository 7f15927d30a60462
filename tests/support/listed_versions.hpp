// listed_versions: versions in a list, as a cursor and as a layer.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "storage/layers/memory_layer.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::testing {

/// A version with its own data.
struct listed_version {
  layers::version_entry entry;
  bytes data;

  listed_version(const layers::version_entry& v, byte_view with)
      : entry(v), data(with.begin(), with.end()) {
    entry.data = data;
  }
  explicit listed_version(const layers::version_entry& v) : listed_version(v, v.data) {}
  listed_version(const listed_version& other) : listed_version(other.entry) {}
  listed_version(listed_version&&) = default;
  listed_version& operator=(listed_version other) {
    entry = other.entry;
    data = std::move(other.data);
    return *this;
  }
};
using listed_versions = std::vector<listed_version>;

/// version_cursor's order.
inline void sort(listed_versions& versions) {
  std::ranges::sort(versions, [](const listed_version& a, const listed_version& b) {
    return a.entry.k != b.entry.k ? a.entry.k < b.entry.k : a.entry.at > b.entry.at;
  });
}

/// Goes through a list as it is, of keys from first to last up to an LSN.
class listed_cursor final : public layers::version_cursor {
 public:
  explicit listed_cursor(const listed_versions& versions) : versions_(&versions) {}
  listed_cursor(const listed_versions& versions, const key& only, lsn until)
      : versions_(&versions), only_(only), until_(until) {}

  result<bool> next(layers::version_entry& into) override {
    for (; at_ < versions_->size(); ++at_) {
      const layers::version_entry& v = (*versions_)[at_].entry;
      if ((only_ != key{} && v.k != only_) || v.at > until_) continue;
      into = v;
      ++at_;
      return true;
    }
    return false;
  }

 private:
  const listed_versions* versions_;
  key only_;
  lsn until_ = lsn::max();
  size_t at_ = 0;
};

/// The same in memory.
inline std::shared_ptr<layers::memory_layer> layer_of(const listed_versions& versions) {
  std::vector<const layers::version_entry*> by_lsn;
  for (const listed_version& one : versions) by_lsn.push_back(&one.entry);
  std::ranges::stable_sort(by_lsn, {}, [](const auto* v) { return v->at; });
  auto layer = std::make_shared<layers::memory_layer>(lsn{});
  for (const layers::version_entry* v : by_lsn) {
    using kind = layers::version_kind;
    switch (v->kind) {
      case kind::changes:
      case kind::initialises:
        layer->put_record(v->k, v->at, layer->add_record(v->record_start, v->data),
                          v->kind == kind::changes ? redo::record_effect::changes
                                                   : redo::record_effect::initialises);
        break;
      case kind::value:
        layer->put_value(v->k, v->at, v->data);
        break;
      case kind::absent:
        layer->put_absent(v->k, v->at);
        break;
      case kind::copy:
        layer->put_copy(v->k, v->at, v->source, v->source_at);
        break;
    }
  }
  if (!by_lsn.empty()) layer->publish(by_lsn.back()->at);
  return layer;
}

}  // namespace zenith::testing
