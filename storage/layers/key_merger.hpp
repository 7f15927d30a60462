// key_merger: what a merge makes of the versions of one key after the other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/layers/key_retention.hpp"
#include "storage/layers/merge_history.hpp"
#include "storage/layers/page_replay.hpp"
#include "storage/layers/version_buffer.hpp"

namespace zenith::layers {

/// What goes in has version_cursor's order, and so has what comes out. Memory: a bounded part of
/// one key's versions and the pages made among them; of a block or SLRU page with more versions
/// than that also one page for each part.
class key_merger {
 public:
  struct parameters {
    std::vector<lsn> kept_states;  ///< retention::kept_states()
    lsn known_from = {};           ///< retention::known_from
    std::span<const unknown_state> unknowns;
    unsigned records_max = 1;  ///< layer_limits::records_per_page_max
    page_checksums checksums = page_checksums::off;
    merge_history* history = nullptr;
    /// All versions of one key that went in, up to an LSN, once more.
    std::function<result<std::unique_ptr<version_cursor>>(const key&, lsn until)> reopen;
    /// Whether what does not go in may hold versions of a key from before an LSN.
    std::function<bool(const key&, lsn before)> may_be_older;
    std::function<result<void>(const version_entry&)> out;
    size_t part_versions_max = 4096;
    size_t part_bytes_max = size_t{4} << 20;
  };
  explicit key_merger(parameters how);

  /// Errors: of reopen and out; corrupt where reopen gives something else than went in.
  result<void> add(const version_entry& v);
  /// After the last one.
  result<void> finish();

 private:
  /// A part of a key's versions that is not in memory.
  struct part {
    lsn newest;
    size_t versions = 0;
  };

  result<void> finish_part();
  result<void> finish_key(const key* next);
  result<void> finish_parts();
  result<void> load(const part& one);
  void begin_key(const key& k);
  result<void> begin_rules(bool one_version);

  /// `start`: what the part's oldest version follows; nullptr where that is the key's first one.
  result<void> write_part(key_part which, const page_replay* start);
  result<void> write_common_versions();
  void summarise(std::span<const version_entry> versions);
  key_part part_kind(std::span<const version_entry> versions, bool older_follow) const;
  /// Makes the pages that are to be; gives whether all could be.
  bool make_pages(std::span<const version_entry> versions, const page_replay* start);
  /// Of the versions from `begin` to `end`, of which none but the oldest is whole.
  bool make_pages_of(std::span<const version_entry> versions, size_t begin, size_t end,
                     page_replay& replay);
  /// The state as of which a version's fork is looked at: where nothing is let go any more, but
  /// was, the first one that is surely there.
  lsn state_of(lsn at) const {
    return rules_.first_state_of(at).value_or(std::max(at, how_.known_from));
  }
  bool is_page_key() const {
    return key_.kind == key_kind::relation_block || key_.kind == key_kind::slru_page;
  }

  parameters how_;
  key key_;
  key_rules rules_;
  bool has_rules_ = false;
  std::vector<lsn> key_states_;  // where this key has more kept states than others
  lsn protected_from_;           // versions from here on stay as they are
  key_progress progress_;
  version_buffer buffer_;
  std::vector<part> parts_;
  std::vector<version_summary> summaries_;
  std::vector<version_verdict> verdicts_;
  bytes pages_;
  std::vector<size_t> page_at_;  // of each version where its page begins in pages_
};

}  // namespace zenith::layers
