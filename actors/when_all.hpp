// when_all: one call once a number of things are over.
#pragma once

#include <functional>
#include <memory>
#include <utility>

namespace zenith::actors {

/// To be called that many times, at least once, by one actor's handlers; the last call calls
/// `done`.
inline std::function<void()> when_all(size_t count, std::function<void()> done) {
  return [left = std::make_shared<size_t>(count), done = std::move(done)] {
    if (--*left == 0) done();
  };
}

}  // namespace zenith::actors
