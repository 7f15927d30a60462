// sorted_run: slices of files that do not overlap, by rising key, as one layer.
#pragma once

#include <span>
#include <vector>

#include "storage/layers/layer.hpp"
#include "storage/layers/layer_file.hpp"

namespace zenith::layers {

class layer_files;

/// A file is asked for keys and versions of its slice only, and not at all where it has none of the
/// versions that are asked for.
class sorted_run final : public layer {
 public:
  /// Does no I/O. The files are in use from now on, read or not: what a view may still read stays.
  static layer_reference make(std::span<const layer_slice> slices, layer_files& files);

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override;
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override;
  result<std::optional<transaction_end>> first_later_than(int64_t time_us,
                                                          lsn until) const override;
  result<std::optional<transaction_end>> first_end_from(lsn from, lsn until) const override;
  result<std::optional<int64_t>> newest_time(lsn until) const override;

 private:
  struct part {
    key first;
    lsn begin;  // its versions lie from here
    lsn until;  // to here, both included
    std::shared_ptr<const layer> file;
  };
  // Calls with the parts that may have keys from first to last, by rising key, until it fails.
  template <class Do>
  result<void> for_each_part(const key& first, const key& last, Do&& what) const;

  // Ascending: part i has keys from its first to last_keys_[i]. The keys by which parts are found
  // lie close together.
  std::vector<key> last_keys_;
  std::vector<part> parts_;
};

}  // namespace zenith::layers
