// Decoding records, putting what redo::ingest says of them, publishing.
#include "storage/layers/ingestor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/layers/transaction_times.hpp"
#include "storage/postgres/stored_record.hpp"
#include "storage/redo/unnamed_changes.hpp"

namespace zenith::layers {
namespace {

// 32 MB of pages, for each timeline that is checked.
constexpr size_t checked_pages_kept = 4096;

// A cache that is fuller than this is emptied; what is needed again is read again.
constexpr size_t relations_kept = 200'000;

/// Everything, published or not.
view newest_of(const std::shared_ptr<memory_layer>& layer, std::vector<layer_reference> below,
               unknown_keys unknown) {
  below.insert(below.begin(), layer_reference{layer, lsn::max()});
  return view(std::move(below), lsn{}, lsn::max(), nullptr, page_checksums::off, unknown);
}

}  // namespace

ingestor::ingestor(std::shared_ptr<memory_layer> layer, std::vector<layer_reference> below,
                   failure_callback on_failure)
    : layer_(std::move(layer)),
      on_failure_(std::move(on_failure)),
      newest_(newest_of(layer_, below, unknown_keys::passed_over)),
      known_(newest_of(layer_, below, unknown_keys::refused)),
      below_(std::move(below)) {}

void ingestor::continue_in(std::shared_ptr<memory_layer> layer,
                           std::vector<layer_reference> below) {
  layer_ = std::move(layer);
  newest_ = newest_of(layer_, below, unknown_keys::passed_over);
  known_ = newest_of(layer_, below, unknown_keys::refused);
  below_ = std::move(below);
  unread_forks_.clear();
  if (checker_) checker_->continue_in(layer_, newest_);
}

void ingestor::check_images(image_checker::problem_callback on_problem) {
  checker_ =
      std::make_unique<image_checker>(layer_, newest_, checked_pages_kept, std::move(on_problem));
}

result<void> ingestor::ingest(const wal::raw_record& raw) {
  if (raw.start < layer_->published() || raw.end <= raw.start)
    return fail(errc::invalid_argument,
                fmt::format("a record from {} to {} does not follow {}", to_string(raw.start),
                            to_string(raw.end), to_string(layer_->published())));
  record_bytes_ = raw.bytes;
  stored_ = nullptr;
  // Of a record that cannot be taken apart nobody knows what it changes: nothing past it may be
  // served.
  ZENITH_TRY(pg::decode_record(raw.bytes, raw.start, raw.end, record_));
  for (const pg::block_reference& block : record_.blocks()) layer_->expect(block.page_key());
  if (auto ingested = redo::ingest(record_, *this); !ingested) {
    // The disk's failure is not the record's: a layer that says so would outlive it.
    if (ingested.error().code == errc::io) return tl::unexpected<error>(ingested.error());
    poison_blocks();
    for (const key_pattern& keys : redo::unnamed_changes(record_))
      layer_->put_unknown(keys, raw.end, ingested.error());
    report(raw, ingested.error());
  }
  ++records_;
  layer_->publish(raw.end);
  if (checker_) checker_->check(record_);
  return {};
}

/// redo::apply refuses the record on these pages, or redoes it where only the rest was not
/// understood.
void ingestor::poison_blocks() {
  for (const pg::block_reference& block : record_.blocks()) {
    // No fork has this block: a version there would count as one of all others.
    if (block.page_key().is_all_blocks()) continue;
    put_record(block.page_key(), block.initialises() ? redo::record_effect::initialises
                                                     : redo::record_effect::changes);
    auto before = current_relation(block.relation, block.fork);
    if (!before) {
      static_cast<void>(extend_unread(block.relation, block.fork, block.block + 1, before.error()));
      continue;
    }
    relation_state state = *before ? **before : relation_state::created(record_.start);
    if (state.extend(block.block + 1) || !*before)
      put_relation(block.relation, block.fork, std::move(state));
  }
}

void ingestor::report(const wal::raw_record& raw, const error& cause) {
  ++failures_;
  if (on_failure_) on_failure_(raw, cause);
}

void ingestor::put_record(const key& k, redo::record_effect effect) {
  if (stored_ == nullptr)
    stored_ = pg::keeps_all(record_) ? layer_->add_short_record(record_.start, record_bytes_)
                                     : layer_->add_record(record_.start, record_bytes_);
  layer_->put_record(k, record_.end, stored_, effect);
  remember_existence(k, true);
  if (k.kind == key_kind::relation_size)
    if (const auto unread = unread_forks_.find(k); unread != unread_forks_.end())
      unread->second.blocks = 0;  // it may have been cut
}

void ingestor::put_value(const key& k, bytes value) {
  layer_->put_value(k, record_.end, value);
  remember_existence(k, true);
  if (known_value* const known = hot(k)) *known = {true, std::move(value)};
  if (k.kind == key_kind::relation_size) forget_relation(k);
}

void ingestor::put_absent(const key& k) {
  layer_->put_absent(k, record_.end);
  remember_existence(k, false);
  if (known_value* const known = hot(k)) *known = {true, std::nullopt};
  if (k.kind == key_kind::relation_size) forget_relation(k);
}

void ingestor::put_copy(const key& k, const key& from) {
  layer_->put_copy(k, record_.end, from, record_.start);
  if (k.kind == key_kind::slru_page) slru_pages_.erase(k);
  if (known_value* const known = hot(k)) *known = {};
  if (k.kind == key_kind::relation_size) forget_relation(k);
}

void ingestor::put_relation(const relation_id& relation, fork_number fork,
                            std::optional<relation_state> state) {
  const key k = key::size(relation, fork);
  if (state)
    layer_->put_value(k, record_.end, state->encode());
  else
    layer_->put_absent(k, record_.end);
  relations_[k] = std::move(state);
  unread_forks_.erase(k);
}

void ingestor::put_transaction_end(int64_t time_us) {
  if (!newest_time_us_) {
    // Where it cannot be read, searches by time fail as well.
    const auto before = newest_time(below_, lsn::max());
    newest_time_us_ = before ? before->value_or(no_time) : no_time;
  }
  layer_->put_transaction_end(time_us, record_.start, record_.end, *newest_time_us_,
                              record_.previous < record_.start ? record_.previous : lsn{});
  newest_time_us_ = std::max(*newest_time_us_, time_us);
}

/// The place of a small value that many records ask for; nullptr for another key.
ingestor::known_value* ingestor::hot(const key& k) {
  if (k.kind < key_kind::control || k.kind > key_kind::next_multixact) return nullptr;
  return &values_[static_cast<size_t>(k.kind) - static_cast<size_t>(key_kind::control)];
}

result<std::optional<bytes>> ingestor::current(const key& k) {
  known_value* const known = hot(k);
  if (known == nullptr) return newest_.value(k, lsn::max());
  if (!known->known) {
    ZENITH_TRY_ASSIGN(auto value, newest_.value(k, lsn::max()));
    *known = {true, std::move(value)};
  }
  return known->value;
}

result<std::optional<relation_state>> ingestor::current_relation(const relation_id& relation,
                                                                 fork_number fork) {
  const key k = key::size(relation, fork);
  if (const auto known = relations_.find(k); known != relations_.end()) return known->second;
  if (const auto unread = unread_forks_.find(k); unread != unread_forks_.end())
    return tl::unexpected<error>(unread->second.why);
  if (relations_.size() >= relations_kept) {
    relations_.clear();
    recent_ = {};
  }
  ZENITH_TRY_ASSIGN(auto state, newest_.relation(relation, fork, lsn::max()));
  return relations_.emplace(k, std::move(state)).first->second;
}

const std::optional<bytes>* ingestor::at_hand(const key& k) {
  const known_value* const known = hot(k);
  return known != nullptr && known->known ? &known->value : nullptr;
}

const std::optional<relation_state>* ingestor::relation_at_hand(const relation_id& relation,
                                                                fork_number fork) {
  recent_relation& one = recent(relation, fork);
  if (one.state != nullptr && one.relation == relation && one.fork == fork) return one.state;
  const auto known = relations_.find(key::size(relation, fork));
  if (known == relations_.end()) return nullptr;
  one = {relation, fork, &known->second};
  return one.state;
}

void ingestor::forget_relation(const key& k) {
  recent(k.relation(), k.relation_fork()) = {};
  relations_.erase(k);
  unread_forks_.erase(k);
}

void ingestor::remember_existence(const key& k, bool exists) {
  if (k.kind == key_kind::slru_page) slru_pages_[k] = exists;
}

result<bool> ingestor::exists(const key& k) {
  if (k.kind != key_kind::slru_page) return newest_.exists(k, lsn::max());
  if (const auto known = slru_pages_.find(k); known != slru_pages_.end()) return known->second;
  const auto found = newest_.exists(k, lsn::max());
  if (!found && found.error().code == errc::io) return found;
  // Who reads it learns why it cannot be read, or once it can that it was not there.
  const bool exists = found.value_or(true);
  slru_pages_.emplace(k, exists);
  return exists;
}

result<bool> ingestor::extend_unread(const relation_id& relation, fork_number fork,
                                     block_number blocks, const error& why) {
  if (why.code == errc::io) return tl::unexpected<error>(why);
  const key k = key::size(relation, fork);
  if (unread_forks_.size() >= relations_kept) unread_forks_.clear();
  if (blocks <= unread_forks_[k].blocks) return false;
  put_record(k, redo::record_effect::changes);
  unread_forks_[k] = {why, blocks};
  return true;
}

result<std::vector<key>> ingestor::current_keys(const key& first, const key& last) {
  // A copy of what is not known would pass for known.
  return known_.keys(first, last, lsn::max());
}

}  // namespace zenith::layers
