// The rules for a key's versions.
#include "storage/layers/key_retention.hpp"

#include <algorithm>

namespace zenith::layers {
namespace {

/// The versions of one part, from the newest on.
class chooser {
 public:
  chooser(std::span<const version_summary> versions, const key_rules& rules,
          std::vector<version_verdict>& verdicts)
      : versions_(versions), rules_(rules), verdicts_(verdicts) {
    verdicts_.assign(versions.size(), version_verdict::goes);
  }

  void keep_what_states_need(key_progress& progress);
  void limit_records_in_a_row(key_part part);
  void drop_last_absences();

 private:
  bool is_worth_a_page(size_t i, lsn hidden_until) const;
  bool is_needed_by_a_record(size_t i) const;
  void keep_newest_of_state(size_t i, lsn hidden_until, key_progress& progress);

  std::span<const version_summary> versions_;
  const key_rules& rules_;
  std::vector<version_verdict>& verdicts_;
  bool begins_in_a_chain_ = false;
};

void chooser::keep_what_states_need(key_progress& progress) {
  begins_in_a_chain_ = progress.chain_is_open;
  for (size_t i = 0; i < versions_.size(); ++i) {
    const version_summary& v = versions_[i];
    const auto state = rules_.first_state_of(v.at);
    const visible_versions seen = state ? rules_.seen_at(*state) : visible_versions{};
    if (!state) {
      verdicts_[i] = version_verdict::stays;  // what it needs stays with the horizon's state
    } else if (v.is_protected) {
      verdicts_[i] = version_verdict::stays;
      progress.chain_is_open = !v.is_whole();
      progress.chain_hidden_until = seen.hidden_until;
    } else if (*state < progress.newer && seen.shows(v.at)) {
      keep_newest_of_state(i, seen.hidden_until, progress);
    } else if (progress.chain_is_open && v.at > progress.chain_hidden_until) {
      verdicts_[i] = version_verdict::stays;
      progress.chain_is_open = !v.is_whole();
    }
    progress.newer = v.at;
  }
}

void chooser::keep_newest_of_state(size_t i, lsn hidden_until, key_progress& progress) {
  const bool page =
      !versions_[i].is_whole() && versions_[i].can_be_page && is_worth_a_page(i, hidden_until);
  verdicts_[i] = page ? version_verdict::becomes_page : version_verdict::stays;
  progress.chain_is_open = !page && !versions_[i].is_whole();
  progress.chain_hidden_until = hidden_until;
}

/// Whether enough would go in exchange: what only this record needs.
bool chooser::is_worth_a_page(size_t i, lsn hidden_until) const {
  uint64_t going_bytes = 0;
  for (size_t older = i + 1; older < versions_.size(); ++older) {
    const version_summary& v = versions_[older];
    if (v.at <= hidden_until || v.is_protected) break;
    if (const auto state = rules_.first_state_of(v.at); state && *state < versions_[older - 1].at)
      break;
    going_bytes += v.size_bytes;
    if (v.is_whole()) break;
  }
  return going_bytes > 0 && going_bytes + versions_[i].size_bytes >= rules_.page_worth_bytes;
}

void chooser::limit_records_in_a_row(key_part part) {
  const unsigned records_max = std::max(rules_.records_max, 1u);
  unsigned in_a_row = part == key_part::older_follow ? records_max - 1 : 0;
  for (size_t i = versions_.size(); i > 0; --i) {
    const version_summary& v = versions_[i - 1];
    version_verdict& verdict = verdicts_[i - 1];
    if (verdict == version_verdict::goes) continue;
    if (v.is_whole() || verdict == version_verdict::becomes_page) {
      in_a_row = v.kind == version_kind::initialises ? 1 : 0;
      continue;
    }
    if (++in_a_row < records_max || !v.can_be_page || v.is_protected) continue;
    verdict = version_verdict::becomes_page;
    in_a_row = 0;
  }
}

void chooser::drop_last_absences() {
  for (size_t i = versions_.size(); i > 0; --i) {
    if (verdicts_[i - 1] == version_verdict::goes) continue;
    const version_summary& v = versions_[i - 1];
    if (v.kind != version_kind::absent || v.is_protected || v.at > rules_.horizon()) return;
    if (is_needed_by_a_record(i - 1)) return;
    verdicts_[i - 1] = version_verdict::goes;
  }
}

bool chooser::is_needed_by_a_record(size_t i) const {
  while (i > 0 && verdicts_[i - 1] == version_verdict::goes) --i;
  if (i == 0) return begins_in_a_chain_;
  return !versions_[i - 1].is_whole() && verdicts_[i - 1] == version_verdict::stays;
}

}  // namespace

std::optional<lsn> key_rules::first_state_of(lsn at) const {
  const auto found = std::lower_bound(kept_states.begin(), kept_states.end(), at);
  return found == kept_states.end() ? std::nullopt : std::optional(*found);
}

void choose(std::span<const version_summary> versions, const key_rules& rules, key_part part,
            key_progress& progress, std::vector<version_verdict>& verdicts) {
  chooser choosing(versions, rules, verdicts);
  choosing.keep_what_states_need(progress);
  choosing.limit_records_in_a_row(part);
  if (part == key_part::last_of_all) choosing.drop_last_absences();
}

}  // namespace zenith::layers
