// Decoding records, putting what redo::ingest says of them, publishing.
#include "storage/layers/ingestor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/redo/unnamed_changes.hpp"

namespace zenith::layers {
namespace {

// 32 MB of pages, for each timeline that is checked.
constexpr size_t checked_pages_kept = 4096;

// A cache that is fuller than this is emptied; what is needed again is read again.
constexpr size_t relations_kept = 200'000;

/// Small values that many records ask for.
bool is_hot(const key& k) {
  return k.kind >= key_kind::control && k.kind <= key_kind::next_multixact;
}

/// Everything, published or not.
view newest_of(const std::shared_ptr<memory_layer>& layer, std::vector<layer_reference> below,
               unknown_keys unknown) {
  below.insert(below.begin(), layer_reference{layer, lsn::max()});
  return view(std::move(below), lsn{}, lsn::max(), nullptr, page_checksums::off, unknown);
}

}  // namespace

ingestor::ingestor(std::shared_ptr<memory_layer> layer, std::vector<layer_reference> below,
                   std::shared_ptr<commit_index> commits, failure_callback on_failure)
    : layer_(std::move(layer)),
      commits_(std::move(commits)),
      on_failure_(std::move(on_failure)),
      newest_(newest_of(layer_, below, unknown_keys::passed_over)),
      known_(newest_of(layer_, std::move(below), unknown_keys::refused)) {}

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
  if (auto ingested = redo::ingest(record_, *this); !ingested) {
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
    const auto before = current_relation(block.relation, block.fork);
    if (!before) continue;
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
  if (stored_ == nullptr) stored_ = layer_->add_record(record_.start, record_bytes_);
  layer_->put_record(k, record_.end, stored_, effect);
  remember_existence(k, true);
}

void ingestor::put_value(const key& k, bytes value) {
  layer_->put_value(k, record_.end, value);
  remember_existence(k, true);
  if (is_hot(k)) values_[k] = std::move(value);
  if (k.kind == key_kind::relation_size) relations_.erase(k);
}

void ingestor::put_absent(const key& k) {
  layer_->put_absent(k, record_.end);
  remember_existence(k, false);
  if (is_hot(k)) values_[k] = std::nullopt;
  if (k.kind == key_kind::relation_size) relations_.erase(k);
}

void ingestor::put_copy(const key& k, const key& from) {
  layer_->put_copy(k, record_.end, from, record_.start);
  if (k.kind == key_kind::slru_page) slru_pages_.erase(k);
  if (is_hot(k)) values_.erase(k);
  if (k.kind == key_kind::relation_size) relations_.erase(k);
}

void ingestor::put_relation(const relation_id& relation, fork_number fork,
                            std::optional<relation_state> state) {
  const key k = key::size(relation, fork);
  if (state)
    layer_->put_value(k, record_.end, state->encode());
  else
    layer_->put_absent(k, record_.end);
  relations_[k] = std::move(state);
}

void ingestor::put_transaction_end(int64_t time_us) {
  if (commits_) commits_->append(time_us, record_.start, record_.end);
}

result<std::optional<bytes>> ingestor::current(const key& k) {
  if (!is_hot(k)) return newest_.value(k, lsn::max());
  if (const auto known = values_.find(k); known != values_.end()) return known->second;
  ZENITH_TRY_ASSIGN(auto value, newest_.value(k, lsn::max()));
  return values_.emplace(k, std::move(value)).first->second;
}

result<std::optional<relation_state>> ingestor::current_relation(const relation_id& relation,
                                                                 fork_number fork) {
  const key k = key::size(relation, fork);
  if (const auto known = relations_.find(k); known != relations_.end()) return known->second;
  if (relations_.size() >= relations_kept) relations_.clear();
  ZENITH_TRY_ASSIGN(auto state, newest_.relation(relation, fork, lsn::max()));
  return relations_.emplace(k, std::move(state)).first->second;
}

void ingestor::remember_existence(const key& k, bool exists) {
  if (k.kind == key_kind::slru_page) slru_pages_[k] = exists;
}

result<bool> ingestor::exists(const key& k) {
  if (k.kind != key_kind::slru_page) return newest_.exists(k, lsn::max());
  if (const auto known = slru_pages_.find(k); known != slru_pages_.end()) return known->second;
  ZENITH_TRY_ASSIGN(const bool exists, newest_.exists(k, lsn::max()));
  slru_pages_.emplace(k, exists);
  return exists;
}

result<std::vector<key>> ingestor::current_keys(const key& first, const key& last) {
  // A copy of what is not known would pass for known.
  return known_.keys(first, last, lsn::max());
}

}  // namespace zenith::layers
