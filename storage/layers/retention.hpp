// retention: which states of a history are kept, and so which versions of a key may go.
#pragma once

#include <span>
#include <vector>

#include "storage/base/lsn.hpp"

namespace zenith::layers {

/// Every state from `horizon` on can be read, and those at `points`; others need not be.
struct retention {
  lsn horizon;  ///< 0/0: everything is kept that still is
  /// Ascending, each below the horizon where there is one: branches, tags, servers, copies.
  std::vector<lsn> points;
  /// Of states before this one, earlier merges may have let go those that nobody named then.
  lsn known_from = {};

  /// The LSNs whose states have to be kept although later versions exist: points, and the horizon.
  std::vector<lsn> kept_states() const;
  /// Whether a state can be asked for.
  bool keeps(lsn at) const;
};

/// The same with more points; ascending, as all points are.
retention with_points(const retention& keep, std::span<const lsn> points);

}  // namespace zenith::layers
