// Gathering a key's versions, deciding on them, making their pages, passing on what is left.
#include "storage/layers/key_merger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "storage/layers/transaction_end.hpp"
#include "storage/layers/unreadable.hpp"

namespace zenith::layers {

key_merger::key_merger(parameters how) : how_(std::move(how)) {}

result<void> key_merger::add(const version_entry& v) {
  if (v.k != key_) {
    ZENITH_TRY(finish_key(&v.k));
    begin_key(v.k);
  } else if (buffer_.size() >= how_.part_versions_max ||
             buffer_.size_bytes() >= how_.part_bytes_max) {
    ZENITH_TRY(finish_part());
  }
  buffer_.add(v);
  return {};
}

result<void> key_merger::finish() {
  ZENITH_TRY(finish_key(nullptr));
  key_ = {};
  buffer_.clear();
  return {};
}

void key_merger::begin_key(const key& k) {
  key_ = k;
  has_rules_ = false;
  progress_ = {};
  buffer_.clear();
  parts_.clear();
}

result<void> key_merger::finish_part() {
  const auto versions = buffer_.versions();
  if (is_page_key()) {
    parts_.push_back({versions.front().at, versions.size()});
  } else {
    ZENITH_TRY(write_part(key_part::older_follow, nullptr));
  }
  buffer_.clear();
  return {};
}

result<void> key_merger::finish_key(const key* next) {
  if (buffer_.size() == 0) return {};
  // A batch of transaction ends says for all LSNs before the next one's what the newest time is.
  if (key_.kind == key_kind::transaction_ends && next != nullptr && next->kind == key_.kind)
    progress_.newer = first_end_of(*next);
  if (key_.is_all_blocks() && parts_.empty()) return write_common_versions();
  if (!parts_.empty()) return finish_parts();
  return write_part(part_kind(buffer_.versions(), false), nullptr);
}

/// The pages with which the parts begin are made from the oldest part on, the parts are written
/// from the newest on: each is read twice more.
result<void> key_merger::finish_parts() {
  ZENITH_TRY(finish_part());
  ZENITH_TRY(begin_rules(false));
  std::vector<page_replay> starts;  // the oldest part's first
  starts.emplace_back(*how_.history, how_.checksums, key_);
  for (size_t i = parts_.size() - 1; i > 0; --i) {
    ZENITH_TRY(load(parts_[i]));
    page_replay replay = starts.back();
    const auto versions = buffer_.versions();
    for (auto v = versions.rbegin(); v != versions.rend(); ++v) replay.apply(*v, state_of(v->at));
    starts.push_back(std::move(replay));
  }
  for (size_t i = 0; i < parts_.size(); ++i) {
    ZENITH_TRY(load(parts_[i]));
    if (key_.is_all_blocks()) {
      ZENITH_TRY(write_common_versions());
      continue;
    }
    ZENITH_TRY(write_part(part_kind(buffer_.versions(), i + 1 < parts_.size()), &starts.back()));
    starts.pop_back();
  }
  return {};
}

result<void> key_merger::load(const part& one) {
  ZENITH_TRY_ASSIGN(const auto versions, how_.reopen(key_, one.newest));
  buffer_.clear();
  version_entry v;
  while (buffer_.size() < one.versions) {
    ZENITH_TRY_ASSIGN(const bool more, versions->next(v));
    if (!more || v.k != key_)
      return fail(errc::corrupt,
                  fmt::format("the versions of {} at or before {} are fewer than a moment ago",
                              to_string(key_), to_string(one.newest)));
    buffer_.add(v);
  }
  return {};
}

/// What holds for the key as a whole.
result<void> key_merger::begin_rules(bool one_version) {
  if (has_rules_) return {};
  has_rules_ = true;
  rules_.kept_states = how_.kept_states;
  rules_.records_max = how_.records_max;
  rules_.seen_at = [this](lsn state) {
    if (key_.kind != key_kind::relation_block) return visible_versions{};
    // Where it is not known what a state shows, it may show everything.
    return how_.history->seen_at(key_, state).value_or(visible_versions{});
  };
  protected_from_ = lsn::max();
  for (const unknown_state& one : how_.unknowns)
    if (one.keys.matches(key_)) protected_from_ = std::min(protected_from_, one.at);
  if (key_.kind != key_kind::relation_size || how_.kept_states.empty() || one_version) return {};
  // Which blocks a record made that is common to some is told by the fork's size before it.
  auto starts = how_.history->common_records(key_.relation(), key_.relation_fork());
  if (!starts && !is_damage(starts.error())) return tl::unexpected<error>(starts.error());
  if (!starts) {
    // Any size may be one of those.
    protected_from_ = {};
    return {};
  }
  std::erase_if(*starts, [&](lsn at) { return at >= how_.kept_states.back(); });
  if (starts->empty()) return {};
  key_states_.clear();
  std::ranges::set_union(how_.kept_states, *starts, std::back_inserter(key_states_));
  rules_.kept_states = key_states_;
  return {};
}

key_part key_merger::part_kind(std::span<const version_entry> versions, bool older_follow) const {
  if (older_follow) return key_part::older_follow;
  const bool has_absence = std::ranges::any_of(
      versions, [](const version_entry& v) { return v.kind == version_kind::absent; });
  return has_absence && !how_.may_be_older(key_, versions.back().at) ? key_part::last_of_all
                                                                     : key_part::last;
}

void key_merger::summarise(std::span<const version_entry> versions) {
  summaries_.clear();
  for (const version_entry& v : versions) {
    const bool is_protected = v.at >= protected_from_;
    // Which earlier state it was kept for, and so what its fork was then, nobody says any more.
    const bool state_is_known = !how_.kept_states.empty() || v.at >= how_.known_from;
    summaries_.push_back({.at = v.at,
                          .kind = v.kind,
                          .size_bytes = static_cast<uint32_t>(v.data.size()),
                          .can_be_page = v.kind == version_kind::changes && is_page_key() &&
                                         !is_protected && state_is_known,
                          .is_protected = is_protected});
  }
}

result<void> key_merger::write_part(key_part which, const page_replay* start) {
  const auto versions = buffer_.versions();
  ZENITH_TRY(begin_rules(which != key_part::older_follow && versions.size() == 1));
  summarise(versions);
  key_progress progress;
  do {
    progress = progress_;
    choose(summaries_, rules_, which, progress, verdicts_);
  } while (!make_pages(versions, start));
  progress_ = progress;

  for (size_t i = 0; i < versions.size(); ++i) {
    if (verdicts_[i] == version_verdict::goes) continue;
    if (verdicts_[i] == version_verdict::stays) {
      ZENITH_TRY(how_.out(versions[i]));
      continue;
    }
    version_entry made{.k = key_, .at = versions[i].at, .kind = version_kind::value};
    made.data = byte_view{pages_}.subspan(page_at_[i], page_size_bytes);
    ZENITH_TRY(how_.out(made));
  }
  return {};
}

bool key_merger::make_pages(std::span<const version_entry> versions, const page_replay* start) {
  if (std::ranges::find(verdicts_, version_verdict::becomes_page) == verdicts_.end()) return true;
  pages_.clear();
  page_at_.assign(versions.size(), 0);
  bool all_made = true;
  page_replay replay = start != nullptr ? *start : page_replay(*how_.history, how_.checksums, key_);
  for (size_t end = versions.size(); end > 0;) {
    size_t begin = end - 1;
    while (begin > 0 && versions[begin - 1].kind == version_kind::changes) --begin;
    if (!make_pages_of(versions, begin, end, replay)) all_made = false;
    end = begin;
  }
  return all_made;
}

bool key_merger::make_pages_of(std::span<const version_entry> versions, size_t begin, size_t end,
                               page_replay& replay) {
  size_t last = begin;
  while (last < end && verdicts_[last] != version_verdict::becomes_page) ++last;
  for (size_t i = end; i > last; --i) {
    const version_entry& v = versions[i - 1];
    const bool is_made = replay.apply(v, state_of(v.at));
    if (verdicts_[i - 1] != version_verdict::becomes_page) continue;
    if (!is_made) {
      for (size_t newer = begin; newer < i; ++newer) summaries_[newer].can_be_page = false;
      return false;
    }
    page_at_[i - 1] = pages_.size();
    const byte_view page = replay.made().view();
    pages_.insert(pages_.end(), page.begin(), page.end());
  }
  return true;
}

/// A record that made several blocks of a fork, or a copy of another fork, stays as long as a state
/// shows any block of it: it hides no older one.
result<void> key_merger::write_common_versions() {
  ZENITH_TRY(begin_rules(false));
  for (const version_entry& v : buffer_.versions()) {
    const auto state = rules_.first_state_of(v.at);
    const key first = key::block(key_.relation(), key_.relation_fork(), 0);
    const auto seen = state ? how_.history->seen_at(first, *state) : visible_versions{};
    if (v.at < protected_from_ && seen && !seen->shows(v.at)) continue;
    ZENITH_TRY(how_.out(v));
  }
  return {};
}

}  // namespace zenith::layers
