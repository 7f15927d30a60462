// Errors between plain code and messages: the same kinds, the same line for a person.
#pragma once

#include <string>

#include "actors/messages.hpp"
#include "storage/base/result.hpp"

namespace zenith::actors {

caf::error to_caf(const error& e);
/// What a caf::error says: ours as it was, CAF's own (a timeout, an actor that is gone) in words.
error from_caf(const caf::error& e);

/// A handler's return from a result.
template <class T>
caf::result<T> reply(result<T> r) {
  if (!r) return to_caf(r.error());
  return std::move(*r);
}

/// Delivers from a callback, which holds its promise as const.
template <class Answer, class Value>
void deliver(caf::typed_response_promise<Answer> promise, Value value) {
  promise.deliver(std::move(value));
}

}  // namespace zenith::actors
