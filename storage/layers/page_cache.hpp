// page_cache: finished pages and forks' sizes, named by history, and how one view finds them.
//
// Entries are history_cache's. The versions of a block are its own and, where it has none, the one
// of all the fork's blocks that made it. A truncation is none: a page whose `newest` is at or
// before what the fork's size as of the LSN hides of the block (relation_state::hidden_until) is
// not the page then, and the reader compares. The page of zeros that a block is which nothing wrote
// since it was hidden has the LSN after that as its `newest`.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "storage/base/assert.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/relation_state.hpp"
#include "storage/layers/history_cache.hpp"

namespace zenith::layers {

using page_entries = history_cache<page>;
/// nullopt: there is no such fork.
using size_entries = history_cache<std::optional<relation_state>>;

/// One a node. Thread-safe.
struct page_cache {
  /// A sixteenth of the limit is for sizes.
  explicit page_cache(size_t limit_bytes)
      : pages(limit_bytes - limit_bytes / 16), sizes(limit_bytes / 16) {}

  page_entries pages;
  size_entries sizes;

  size_t size_bytes() const { return pages.size_bytes() + sizes.size_bytes(); }
  size_t limit_bytes() const { return pages.limit_bytes() + sizes.limit_bytes(); }
};

/// A history, and the LSN up to which a timeline's states are that history's.
struct history_reference {
  history_id id{};
  lsn until;
};

/// What a timeline's states may be found under: its own history first, then its ancestors', nearest
/// first, with falling LSNs. No more than a few, so that the depth of a chain does not matter.
using history_list = std::vector<history_reference>;
inline constexpr size_t histories_max = 4;
history_list root_histories();
/// For a timeline that leaves one with such a list at the LSN.
history_list child_histories(const history_list& parent, lsn branch);

/// A view's way to the cache. Nothing is ever found, or kept, where there is no cache.
class cached_history {
 public:
  cached_history() = default;
  cached_history(std::nullptr_t) {}
  /// For views that share what they read with no other one.
  cached_history(std::shared_ptr<page_cache> cache)
      : cached_history(std::move(cache), root_histories()) {}
  cached_history(std::shared_ptr<page_cache> cache, history_list histories)
      : cache_(std::move(cache)), histories_(std::move(histories)) {
    ZENITH_ASSERT(!histories_.empty() && histories_.front().until == lsn::max());
  }

  bool is_on() const { return cache_ != nullptr; }

  /// The entry of which most is known; the LSN may lie past that.
  std::optional<page_entries::entry> find_page(const key& k, lsn at) const;
  std::optional<size_entries::entry> find_size(const key& k, lsn at) const;
  /// What was read, or is known of a later LSN now; shared with the farthest ancestor whose history
  /// it is part of.
  void keep(const key& k, const page_entries::entry& known) const;
  void keep(const key& k, const size_entries::entry& known) const;
  static page_entries::held_ptr held(const page& found);
  /// A page that is not filled yet, to be written as a whole before anybody else has it.
  static std::shared_ptr<page_entries::held> page_to_fill();
  static size_entries::held_ptr held(const std::optional<relation_state>& found);

 private:
  template <class Value>
  std::optional<typename history_cache<Value>::entry> find(history_cache<Value> page_cache::*in,
                                                           const key& k, lsn at) const;
  template <class Value>
  void keep_in(history_cache<Value>& in, const key& k,
               const typename history_cache<Value>::entry& made) const;

  std::shared_ptr<page_cache> cache_;
  history_list histories_;
};

}  // namespace zenith::layers
