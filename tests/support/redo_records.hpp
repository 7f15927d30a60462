// Records made by hand for redo's tests, and a sink that remembers what ingest put.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "storage/redo/redo.hpp"

namespace zenith::testing {

/// A record's parts as decode_record would give them; owns the bytes that they view.
class made_record {
 public:
  made_record(pg::resource_manager rmgr, uint8_t info, lsn start = lsn{0x1000}) {
    record_.rmgr = rmgr;
    record_.info = info;
    record_.start = start;
    record_.end = start + 0x100;
    record_.xid = 1000;
  }
  // Moved only: a copy's views would show the original's bytes.
  made_record(made_record&&) = default;

  made_record& xid(uint32_t value) {
    record_.xid = value;
    return *this;
  }
  /// Adds to the main data the first bytes of a value.
  template <class T>
  made_record& main(const T& value, size_t size_bytes = sizeof(T)) {
    main_.insert(main_.end(), front_of(value), front_of(value) + size_bytes);
    record_.main_data = main_;
    return *this;
  }
  made_record& block(uint8_t id, const relation_id& relation, block_number block,
                     fork_number fork = fork_number::main) {
    auto& reference = record_.block_storage[record_.block_count++];
    reference = {};
    reference.id = id;
    reference.relation = relation;
    reference.fork = fork;
    reference.block = block;
    data_.emplace_back();
    return *this;
  }
  made_record& will_init() {
    last_block().will_init = true;
    return *this;
  }
  /// Adds to the last block's data.
  made_record& data(byte_view more) {
    auto& all = data_.back();
    all.insert(all.end(), more.begin(), more.end());
    last_block().has_data = true;
    last_block().data = all;
    return *this;
  }
  template <class T>
  made_record& data_of(const T& value, size_t size_bytes = sizeof(T)) {
    return data(byte_view(front_of(value), size_bytes));
  }

  pg::record& get() { return record_; }
  operator const pg::record&() const { return record_; }

 private:
  template <class T>
  static const std::byte* front_of(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return reinterpret_cast<const std::byte*>(&value);
  }
  pg::block_reference& last_block() { return record_.block_storage[record_.block_count - 1u]; }

  pg::record record_;
  bytes main_;
  std::deque<bytes> data_;
};

/// A record with this as its main data.
template <class T>
made_record record_of(pg::resource_manager rmgr, uint8_t info, const T& main,
                      lsn start = lsn{0x1000}) {
  made_record record(rmgr, info, start);
  record.main(main);
  return record;
}

/// A multixact's creation, its members' ids from 2000 on, each FOR KEY SHARE.
inline made_record multixact_of(uint32_t multixact, uint32_t offset, uint32_t members, lsn start) {
  made_record record(pg::resource_manager::multixact, 0x20, start);
  record.main(multixact).main(offset).main(members);
  for (uint32_t i = 0; i < members; ++i) record.main(uint32_t{2000 + i}).main(uint32_t{0});
  return record;
}

/// Remembers what was put, in order; its state is what the test gives it.
class remembering_sink final : public redo::change_sink {
 public:
  struct put {
    key k;
    redo::record_effect effect{};
    bool operator==(const put&) const = default;
  };
  std::vector<put> records;
  std::map<key, std::optional<relation_state>> relations;  ///< by their size's key

  void put_record(const key& k, redo::record_effect effect) override {
    records.push_back({k, effect});
  }
  void put_value(const key& k, bytes value) override { values[k] = std::move(value); }
  void put_absent(const key& k) override { values.erase(k); }
  void put_copy(const key& k, const key& from) override { values[k] = values[from]; }
  void put_relation(const relation_id& relation, fork_number fork,
                    std::optional<relation_state> state) override {
    relations[key::size(relation, fork)] = std::move(state);
  }
  void put_transaction_end(int64_t) override {}

  result<std::optional<bytes>> current(const key& k) override {
    const auto found = values.find(k);
    if (found == values.end()) return std::optional<bytes>{};
    return std::optional<bytes>{found->second};
  }
  result<std::optional<relation_state>> current_relation(const relation_id& relation,
                                                         fork_number fork) override {
    const auto found = relations.find(key::size(relation, fork));
    if (found == relations.end()) return std::optional<relation_state>{};
    return found->second;
  }
  result<std::vector<key>> current_keys(const key& first, const key& last) override {
    std::vector<key> keys;
    for (auto at = values.lower_bound(first); at != values.end() && at->first <= last; ++at)
      keys.push_back(at->first);
    return keys;
  }

  std::map<key, bytes> values;
};

}  // namespace zenith::testing
