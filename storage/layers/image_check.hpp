// image_check: compares what redo makes of pages with the images that records carry for checking.
//
// With wal_consistency_checking on the server, a record carries an image of each page after its
// change. A page that redo makes another way than the server did is found here at the record that
// did it, while it is taken in, and not when somebody reads it (xlogrecovery.c,
// verifyBackupPageConsistency).
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "storage/layers/memory_layer.hpp"
#include "storage/layers/view.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::layers {

struct image_counts {
  uint64_t checked = 0;     ///< images that redo's page was compared with
  uint64_t mismatches = 0;  ///< of these, not equal after masking
  uint64_t failures = 0;    ///< images with nothing to compare: the page cannot be made
};

/// Used by the one writer of a memory layer, after each record that it has published.
///
/// What readers get stays what redo gave; but checking goes on from the image after a fault, so
/// that each fault is counted where it happens and not again at each later record of the page. A
/// faulty page that left the cache since is counted again at its next record.
///
/// The newest contents of the pages checked last are kept, `pages_max` of them, so that a check
/// costs one record's redo and not the page's history. It blocks its caller no longer than a read
/// of each page that the record refers to.
class image_checker {
 public:
  /// Told of each mismatch and each failure: LSN, record, page, and the first differing byte.
  using problem_callback = std::function<void(const std::string& what)>;

  /// `layer`: holds every version from now on. `newest`: it and all that lies below, up to the
  /// newest record.
  image_checker(std::shared_ptr<const memory_layer> layer, view newest, size_t pages_max,
                problem_callback on_problem);

  /// What comes from now on is in this layer, which `newest` has as well. Pages that are known from
  /// the one before it are brought to its end; it is not held any more.
  void continue_in(std::shared_ptr<const memory_layer> layer, view newest);

  /// Checks each page that the record has an image for checking of. The record is the newest one.
  void check(const pg::record& record);

  const image_counts& counts() const { return counts_; }
  size_t pages_kept() const { return recent_.size(); }

 private:
  struct known_page {
    key of;
    lsn newest;  ///< the record that made it this ended here
    page data;
  };

  void check_page(const pg::record& record, const pg::block_reference& reference);
  result<void> make_page(const pg::record& record, const key& k, known_page& into);
  result<bool> bring_forward(lsn at, const pg::record* record_at_hand, known_page& known);
  known_page& known(const key& k);
  void tell(const std::string& what) const;

  std::shared_ptr<const memory_layer> layer_;
  view newest_;
  size_t pages_max_;
  problem_callback on_problem_;
  image_counts counts_;
  std::list<known_page> recent_;  // the one used last first; never more than pages_max_
  std::unordered_map<key, std::list<known_page>::iterator> places_;
  key_history history_;
  pg::record older_;
};

}  // namespace zenith::layers
