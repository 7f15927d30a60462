// view_internal: what the view's sources share: memory for reads, and the errors of reads.
#pragma once

#include <memory>
#include <string>

#include "storage/layers/view.hpp"

namespace zenith::layers {

/// What one read needs of memory. Each thread keeps one for each depth, so that a read takes no
/// memory from the heap once the thread has read a few pages.
class view::scratch {
 public:
  /// The thread's memory for a read at this depth of copies, emptied, until the end of the scope.
  class lease {
   public:
    explicit lease(unsigned depth);
    ~lease();
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    scratch& operator*() const { return of_; }

   private:
    scratch& of_;
  };

  key_history history;
  pg::record record;
};

class view::known_size {
 public:
  known_size(size_entries::held_ptr held) : held_(std::move(held)) {}
  known_size(std::optional<relation_state> own) : own_(std::move(own)) {}

  const std::optional<relation_state>& get() const { return held_ ? held_->value : own_; }
  const relation_state* operator->() const { return &*get(); }
  explicit operator bool() const { return get().has_value(); }

 private:
  size_entries::held_ptr held_;
  std::optional<relation_state> own_;
};

class view::block_place {
 public:
  /// A page of its own.
  block_place() = default;
  explicit block_place(page& into) : into_(&into) {}

  /// Where the block is made.
  page& memory() {
    if (into_ == nullptr) {
      made_ = cached_history::page_to_fill();
      into_ = &made_->value;
    }
    return *into_;
  }
  /// The block is this one; nothing was made of it before.
  void is(const page_entries::held_ptr& known) {
    if (into_ != nullptr)
      *into_ = known->value;
    else
      known_ = known;
  }
  /// What was made, for the cache.
  page_entries::held_ptr to_keep() const { return made_ ? made_ : cached_history::held(*into_); }
  /// What was found or made, where it is no caller's page.
  std::shared_ptr<const page> shared() const {
    const page_entries::held_ptr& found = known_ ? known_ : made_;
    return {found, &found->value};
  }

 private:
  page* into_ = nullptr;
  std::shared_ptr<page_entries::held> made_;
  page_entries::held_ptr known_;
};

/// The error of a read, with what was read.
tl::unexpected<error> failed(const key& k, lsn at, const error& cause);
error not_known(const std::string& what, lsn at, const error& why);
error wrong_size(size_t found);
error too_deep(const key_history& history);
error no_page(const key_history& history);
/// What is missing where something says that it is there.
error as_damage(error cause);

}  // namespace zenith::layers
