// Errors as values: what can go wrong, in words for a person, and the result type that carries it.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace zenith {

/// What kind of failure it is; callers branch on this, people read the message.
enum class errc {
  corrupt = 1,       ///< bytes from a disk or a peer that are not what they must be
  io,                ///< the operating system refused (errno is in the message)
  not_found,         ///< a name, key, relation or file that does not exist
  already_exists,    ///< a name or file that is taken
  invalid_argument,  ///< what a person or a peer asked for makes no sense
  out_of_range,      ///< an LSN, block or time outside what is kept
  not_arrived,       ///< an LSN that has not been received yet, and did not come in time
  unsupported,       ///< asked for something that this version does not do
  conflict,          ///< refused because of the state something is in (running, has children)
  unavailable,       ///< a peer or process that is not there or went away
  limit,             ///< a bound that is a setting was reached
};

/// A failure: its kind, and one line that says what happened, to what, and what to do next.
struct error {
  errc code = errc::corrupt;
  std::string message;
};

template <class T>
using result = tl::expected<T, error>;

/// `return fail(errc::io, "...")` from any function that returns a result.
inline tl::unexpected<error> fail(errc code, std::string message) {
  return tl::unexpected<error>(error{code, std::move(message)});
}

}  // namespace zenith

#define ZENITH_CONCAT_INNER(a, b) a##b
#define ZENITH_CONCAT(a, b) ZENITH_CONCAT_INNER(a, b)

/// Runs an expression that gives a result<void> (or whose value is not needed); returns its error.
#define ZENITH_TRY(expression)                                                     \
  do {                                                                             \
    if (auto zenith_result_ = (expression); !zenith_result_)                       \
      return ::tl::unexpected<::zenith::error>(std::move(zenith_result_).error()); \
  } while (false)

/// `ZENITH_TRY_ASSIGN(auto x, f());` declares or assigns x from f()'s value, or returns its error.
#define ZENITH_TRY_ASSIGN(target, expression)                        \
  auto ZENITH_CONCAT(zenith_result_, __LINE__) = (expression);       \
  if (!ZENITH_CONCAT(zenith_result_, __LINE__))                      \
    return ::tl::unexpected<::zenith::error>(                        \
        std::move(ZENITH_CONCAT(zenith_result_, __LINE__)).error()); \
  target = std::move(*ZENITH_CONCAT(zenith_result_, __LINE__))
