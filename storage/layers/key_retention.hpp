// key_retention: which versions of one key a merge keeps, and which of them become whole pages.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "storage/base/lsn.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// What the rules ask of a version.
struct version_summary {
  lsn at;
  version_kind kind{};
  uint32_t size_bytes = 0;    ///< of its data
  bool can_be_page = false;   ///< a record whose page can be made
  bool is_protected = false;  ///< stays as it is, whatever the rules say

  /// Whether it needs nothing older.
  bool is_whole() const { return kind != version_kind::changes; }
};

enum class version_verdict : uint8_t {
  goes,
  stays,
  becomes_page,  ///< the page as of its LSN takes its place
};

/// What of a kept state a version's key can see.
struct visible_versions {
  bool exists = true;  ///< the key's fork, then
  lsn hidden_until;    ///< versions at or before this one do not count (0/0: all count)

  bool shows(lsn at) const { return exists && at > hidden_until; }
};

/// What is kept of one key.
struct key_rules {
  /// retention::kept_states(): ascending, the last one is the horizon; empty: all are kept.
  std::span<const lsn> kept_states;
  /// What the key's versions have to be for its state as of a kept one; asked for the first kept
  /// state at or after a version.
  std::function<visible_versions(lsn state)> seen_at;
  /// So many records in a row need a page, and no fewer than 1.
  unsigned records_max = 1;
  /// A page is made so that older versions can go where these and it have so many bytes.
  uint32_t page_worth_bytes = 2048;

  lsn horizon() const { return kept_states.empty() ? lsn{} : kept_states.back(); }
  /// The first kept state that is at or after a version; none for versions after the horizon.
  std::optional<lsn> first_state_of(lsn at) const;
};

/// Where choose() is in the key's versions, from one part of them to the next older one.
struct key_progress {
  lsn newer = lsn::max();      ///< the version before, if any
  bool chain_is_open = false;  ///< a record that stays needs what is older ...
  lsn chain_hidden_until;      ///< ... and after this LSN
};

enum class key_part : uint8_t {
  older_follow,
  last,
  last_of_all,  ///< no version of the key is older, anywhere
};

/// Decides on a key's versions, newest first, or on a part of them that older ones follow.
/// All versions after the horizon stay. Of those at or before it, for each kept state stay the
/// newest one that it shows and what that one needs: of a record which only changes a page all
/// down to a whole version, or nothing where the page takes its place. Where records_max records
/// would stay in a row the newest of them becomes a page; so does, where older parts follow, the
/// oldest one of all, if it can. At the end of all an absence that nothing stays behind goes.
/// `verdicts`: one for each version; its memory is used again.
void choose(std::span<const version_summary> versions, const key_rules& rules, key_part part,
            key_progress& progress, std::vector<version_verdict>& verdicts);

}  // namespace zenith::layers
