// wal_in_memory: a part of a sample's WAL as a source, for tests.
#pragma once

#include "storage/wal/wal_source.hpp"
#include "tests/support/real_wal.hpp"

namespace zenith::testing {

/// Reads from the sample, which must outlive it, between two LSNs.
class wal_in_memory final : public wal::wal_source {
 public:
  wal_in_memory(lsn begin, lsn end, const real_wal& wal) : begin_(begin), end_(end), wal_(wal) {}

  lsn begin() const override { return begin_; }
  lsn end() const override { return end_; }
  result<void> read(lsn at, byte_span into) const override {
    if (at < begin_ || at > end_ || into.size() > end_ - at)
      return fail(errc::out_of_range, "not in this part of the sample");
    std::memcpy(into.data(), wal_.from(at).data(), into.size());
    return {};
  }

 private:
  lsn begin_, end_;
  const real_wal& wal_;
};

}  // namespace zenith::testing
