// view_waiter: a thread-safe mailbox for views that were asked for, which wakes a poll() loop.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "storage/base/result.hpp"
#include "storage/layers/view.hpp"

namespace zenith::actors {

/// One request for a view, or the answer to one: a timeline delivers each exactly once.
class view_waiter {
 public:
  virtual ~view_waiter() = default;
  /// May be called from any thread; never blocks.
  virtual void deliver(result<layers::view_ptr> view) = 0;
};

}  // namespace zenith::actors
