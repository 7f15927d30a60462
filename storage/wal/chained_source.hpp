// chained_source: a timeline's WAL with that of its ancestors before it, as one.
#pragma once

#include <memory>
#include <vector>

#include "storage/wal/wal_source.hpp"

namespace zenith::wal {

/// WAL before an LSN from one source, from that LSN on from another. A chain of chains is kept
/// flat, so that reading on the thousandth branch of a line does not pass through a thousand.
class chained_wal_source final : public wal_source {
 public:
  /// `before` holds everything up to `seam` that it is asked for, `after` begins there or earlier.
  chained_wal_source(std::shared_ptr<const wal_source> before, lsn seam,
                     std::shared_ptr<const wal_source> after);

  lsn begin() const override;
  lsn end() const override;
  result<void> read(lsn at, byte_span into) const override;

 private:
  struct link {
    lsn from;  // this source counts from here to the next link's start
    std::shared_ptr<const wal_source> source;
  };
  std::vector<link> links_;  // by `from`; the first one's is not used
};

}  // namespace zenith::wal
