// The answer to one request of a page stream.
#include "protocol/pages/serve.hpp"

#include <algorithm>
#include <memory>

namespace zenith::pages {
namespace {

result<reply> answer(const request& asked, const layers::view& from) {
  const lsn at = std::min(asked.at, from.until());
  if (asked.kind == request_kind::get_page) {
    ZENITH_TRY_ASSIGN(auto read, from.shared_page(asked.relation, asked.fork, asked.block, at));
    return reply{asked.id, page_reply{std::move(read)}};
  }
  ZENITH_TRY_ASSIGN(const auto state, from.relation(asked.relation, asked.fork, at));
  if (asked.kind == request_kind::exists) return reply{asked.id, exists_reply{state.has_value()}};
  if (!state)
    return fail(errc::not_found, "relation " + to_string(asked.relation) + " has no fork " +
                                     to_string(asked.fork) + " at " + to_string(at));
  return reply{asked.id, size_reply{state->blocks()}};
}

}  // namespace

reply serve(const request& asked, const layers::view& from) {
  auto answered = answer(asked, from);
  if (answered) return std::move(*answered);
  return {asked.id, error_reply{answered.error()}};
}

}  // namespace zenith::pages
