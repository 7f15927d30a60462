// serve: the answer to one request of a page stream, from a view.
#pragma once

#include "protocol/pages/stream.hpp"
#include "storage/layers/view.hpp"

namespace zenith::pages {

/// Every failure becomes an error reply. A request whose LSN lies past the view's end is answered
/// as of that end: the view's owner has seen that nothing lies between (a page's header).
reply serve(const request& asked, const layers::view& from);

}  // namespace zenith::pages
