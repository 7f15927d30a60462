// memory_sink: the newest version of everything, redone at once.
#include "tests/support/memory_sink.hpp"

#include <stdexcept>

#include "storage/postgres/control_file.hpp"

namespace zenith::testing {
namespace {

template <class... T>
bytes packed(T... values) {
  bytes out((sizeof(T) + ...));
  size_t at = 0;
  ((store(out.data() + at, values), at += sizeof(T)), ...);
  return out;
}

}  // namespace

memory_sink::memory_sink() {
  set_value(key::control(), pg::encode_control_data({}));
  set_value(key::next_full_xid(), packed(uint64_t{3}));
  set_value(key::next_oid(), packed(uint32_t{16384}));
  set_value(key::next_multixact(), packed(uint32_t{1}, uint32_t{0}));
}

result<void> memory_sink::replay(const pg::record& record) {
  record_ = &record;
  added_.reset();
  changed_.clear();
  ++counts_.records;
  auto done = redo::ingest(record, *this);
  record_ = nullptr;
  return done;
}

void memory_sink::set_relation(const relation_id& relation, fork_number fork, block_number blocks) {
  relations_[key::size(relation, fork)] = relation_state::of_base(blocks);
}

void memory_sink::set_block(const key& k, const page& content) { blocks_[k] = {lsn{}, content}; }

std::optional<bytes> memory_sink::value(const key& k) const {
  const auto found = values_.find(k);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

uint64_t memory_sink::number(const key& k) const {
  const auto found = value(k);
  if (!found) return 0;
  return found->size() == sizeof(uint64_t) && k.kind != key_kind::next_multixact
             ? load<uint64_t>(found->data())
             : load<uint32_t>(found->data());
}

std::optional<block_number> memory_sink::blocks(const relation_id& relation,
                                                fork_number fork) const {
  const auto found = relations_.find(key::size(relation, fork));
  if (found == relations_.end()) return std::nullopt;
  return found->second.blocks();
}

result<page> memory_sink::read_block(const relation_id& relation, fork_number fork,
                                     block_number block) const {
  const auto count = blocks(relation, fork);
  const key k = key::block(relation, fork, block);
  if (!count || block >= *count) return fail(errc::not_found, to_string(k) + " does not exist");
  const auto* version = visible_block(k);
  if (version == nullptr) return page{};
  if (const auto failed = page_errors_.find(k); failed != page_errors_.end())
    return tl::unexpected<error>(failed->second);
  return version->content;
}

const memory_sink::block_version* memory_sink::visible_block(const key& k) const {
  const auto state = relations_.find(key::size(k.relation(), k.relation_fork()));
  const auto found = blocks_.find(k);
  if (state == relations_.end() || found == blocks_.end()) return nullptr;
  const lsn hidden = state->second.hidden_until(k.d);
  if (hidden.is_valid() && found->second.written <= hidden) return nullptr;
  return &found->second;
}

void memory_sink::put_record(const key& k, redo::record_effect effect) {
  ++counts_.put_records;
  changed_.push_back(k);
  if (k.is_all_blocks()) {
    added_ = k;
    return;
  }
  page content;
  bool failed_before = page_errors_.contains(k);
  if (effect == redo::record_effect::changes) {
    if (k.kind == key_kind::slru_page) {
      // Ingest says "changes" only of pages that exist.
      const auto found = values_.find(k);
      if (found == values_.end()) throw std::logic_error(to_string(k) + " does not exist");
      std::copy(found->second.begin(), found->second.end(), content.begin());
    } else if (const auto* version = visible_block(k)) {
      content = version->content;
    } else {
      failed_before = false;
    }
  } else {
    failed_before = false;
  }
  if (!failed_before) {
    page_errors_.erase(k);
    if (auto done = redo::apply(*record_, k, content); !done)
      page_errors_.emplace(k, std::move(done.error()));
  }
  if (k.kind == key_kind::slru_page) {
    values_[k] = bytes(content.data.begin(), content.data.end());
  } else {
    blocks_[k] = {record_->end, content};
  }
}

void memory_sink::put_value(const key& k, bytes value) {
  ++counts_.put_values;
  changed_.push_back(k);
  values_[k] = std::move(value);
}

void memory_sink::put_absent(const key& k) {
  changed_.push_back(k);
  values_.erase(k);
}

void memory_sink::put_copy(const key& k, const key& from) {
  changed_.push_back(k);
  if (k.kind != key_kind::relation_block) {
    if (const auto source = value(from)) {
      values_[k] = *source;
    } else {
      values_.erase(k);
    }
    return;
  }
  if (k.is_all_blocks()) {
    std::vector<key> sources;
    for (auto at = blocks_.lower_bound(key::block(from.relation(), from.relation_fork(), 0));
         at != blocks_.end() && at->first < from; ++at)
      sources.push_back(at->first);
    for (const key& source : sources)
      put_copy(key::block(k.relation(), k.relation_fork(), source.d), source);
    return;
  }
  page_errors_.erase(k);
  if (const auto failed = page_errors_.find(from); failed != page_errors_.end())
    page_errors_.emplace(k, failed->second);
  const auto* source = visible_block(from);
  blocks_[k] = {record_->end, source == nullptr ? page{} : source->content};
}

void memory_sink::put_relation(const relation_id& relation, fork_number fork,
                               std::optional<relation_state> state) {
  ++counts_.put_relations;
  changed_.push_back(key::size(relation, fork));
  if (state) {
    const block_number old_size = blocks(relation, fork).value_or(0);
    const block_number new_size = state->blocks();
    relations_[key::size(relation, fork)] = std::move(*state);
    if (added_ == key::all_blocks(relation, fork)) make_added_blocks(*added_, old_size, new_size);
  } else {
    relations_.erase(key::size(relation, fork));
  }
}

void memory_sink::make_added_blocks(const key& all, block_number old_size, block_number new_size) {
  for (block_number block = old_size; block < new_size; ++block) {
    const key k = key::block(all.relation(), all.relation_fork(), block);
    if (const auto found = blocks_.find(k);
        found == blocks_.end() || found->second.written != record_->end)
      put_record(k, redo::record_effect::initialises);
  }
}

void memory_sink::put_transaction_end(int64_t time_us) {
  ++counts_.transaction_ends;
  counts_.last_transaction_end_us = time_us;
}

result<std::optional<bytes>> memory_sink::current(const key& k) { return value(k); }

result<std::optional<relation_state>> memory_sink::current_relation(const relation_id& relation,
                                                                    fork_number fork) {
  const auto found = relations_.find(key::size(relation, fork));
  if (found == relations_.end()) return std::optional<relation_state>{};
  return std::optional<relation_state>{found->second};
}

result<std::vector<key>> memory_sink::current_keys(const key& first, const key& last) {
  std::vector<key> keys;
  for (auto at = values_.lower_bound(first); at != values_.end() && at->first <= last; ++at)
    keys.push_back(at->first);
  for (auto at = relations_.lower_bound(first); at != relations_.end() && at->first <= last; ++at)
    keys.push_back(at->first);
  return keys;
}

result<bool> memory_sink::exists(const key& k) {
  return k.kind == key_kind::relation_size ? relations_.contains(k) : values_.contains(k);
}

}  // namespace zenith::testing
