// damaged_replay: real records and pages with bytes changed, for what must never crash.
#pragma once

#include <random>

#include "storage/postgres/record.hpp"
#include "tests/support/wal_replay.hpp"

namespace zenith::testing {

/// For replay_options::observe: applies damaged copies of one in `every` records of this resource
/// manager (their data cut or changed, on pages as they are or changed) and demands only that
/// nothing outside the page is written. Under the sanitizers it finds what reads too far as well.
class damaged_replay {
 public:
  damaged_replay(pg::resource_manager rmgr, unsigned seed, unsigned every)
      : rmgr_(rmgr), random_(seed), every_(every) {}

  void operator()(const pg::record& record, const pg::block_reference& reference,
                  const page& before);

  uint64_t tried() const { return tried_; }
  uint64_t refused() const { return refused_; }  ///< of these, with an error

 private:
  void try_one(const pg::record& record, const pg::block_reference& reference, page p);

  pg::resource_manager rmgr_;
  std::mt19937_64 random_;
  unsigned every_;
  uint64_t seen_ = 0;
  uint64_t tried_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace zenith::testing
