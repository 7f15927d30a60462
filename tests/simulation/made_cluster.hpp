// made_cluster: WAL of a root timeline and of a branch of it, and what a store in memory makes of
// it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "storage/layers/ingestor.hpp"
#include "storage/layers/view.hpp"
#include "storage/repository/metadata.hpp"
#include "storage/wal/decoder.hpp"
#include "tests/support/map_layer.hpp"

namespace zenith::simulation {

/// For one thread. Never changes once it is made, so that runs that are cut off anywhere can be
/// compared with it. The root's WAL crosses a segment; the branch leaves in the middle of it.
class made_cluster {
 public:
  static constexpr uint32_t segment_size_bytes = 1 << 20;

  struct line {
    repository::timeline_metadata metadata;
    lsn begin;              ///< of data: a page's start
    bytes data;             ///< up to the last record's end
    std::vector<lsn> ends;  ///< of its records

    lsn end() const { return ends.back(); }
    byte_view piece(lsn from, lsn until) const {
      return byte_view(data).subspan(from - begin, until - from);
    }
    /// The end of the record at a share of the whole.
    lsn at(double share) const {
      return ends[static_cast<size_t>(share * static_cast<double>(ends.size() - 1))];
    }
  };

  made_cluster();

  const line& root() const { return lines_[0]; }
  const line& branch() const { return lines_[1]; }
  const line& operator[](size_t i) const { return lines_[i]; }
  const std::map<key, bytes>& base() const { return base_->values; }
  /// The first segment's file, up to where the root's own WAL starts.
  bytes first_segment() const;

  /// What a store in memory says.
  layers::view view(size_t line) const;
  /// Every key with a version, blocks included.
  const std::vector<key>& keys() const { return keys_; }

  /// The first difference between a view and what a store in memory says as of an LSN; empty where
  /// there is none.
  std::string difference(size_t line, const layers::view& found, lsn at) const;

 private:
  void add_line(size_t records, lsn start, lsn previous, pg_timeline number);
  void ingest(size_t line);
  /// What the store in memory says of all keys, remembered: many runs ask for the same.
  struct state {
    std::vector<result<std::optional<bytes>>> values;  // of keys_
    result<std::vector<key>> listed;
  };
  const state& state_at(size_t line, lsn at) const;

  std::shared_ptr<testing::map_layer> base_;
  std::vector<line> lines_;
  std::vector<std::shared_ptr<layers::memory_layer>> memory_;
  std::vector<key> keys_;
  mutable std::map<std::pair<size_t, lsn>, state> states_;
};

}  // namespace zenith::simulation
