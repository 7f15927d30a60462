// The databases, relations and SLRUs of a base backup.
#include "storage/backup/relation_backup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "storage/postgres/free_space_map.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/page_kind.hpp"

namespace zenith::backup {

namespace {

// How much is handed to the sink at once.
constexpr uint32_t pages_per_write = 32;

constexpr key first_of(key_kind kind) { return {kind}; }
constexpr key last_of(key_kind kind) {
  return {kind, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT8_MAX, UINT32_MAX};
}

byte_view bytes_of(const std::vector<page>& pages, size_t count) {
  return {reinterpret_cast<const std::byte*>(pages.data()), count * page_size_bytes};
}

// What the pages of a main fork have free, as far as they are a heap's. Indexes and sequences begin
// with pages that have a special space, heaps have none.
class free_space_notes {
 public:
  void add(const page& p, block_number block) {
    const pg::page_kind kind = pg::kind_of(p, block);
    if (kind_ == pg::page_kind::empty) kind_ = kind;
    if (may_be_heap()) categories_.push_back(pg::free_space_category(p));
  }
  bool is_heap() const { return kind_ == pg::page_kind::heap; }
  const std::vector<uint8_t>& categories() const { return categories_; }

 private:
  bool may_be_heap() const { return is_heap() || kind_ == pg::page_kind::empty; }

  pg::page_kind kind_ = pg::page_kind::empty;  // of the first page that was ever initialised
  std::vector<uint8_t> categories_;
};

}  // namespace

result<void> relation_backup::read_page(const relation_id& relation, fork_number fork,
                                        block_number block, page& into) const {
  ZENITH_TRY(view_.read_page(relation, fork, block, at_, into));
  // A page that was never initialised has neither LSN nor checksum (PageSetChecksumInplace).
  if (pg::page_is_new(into)) return {};
  if (const lsn found = pg::page_lsn(into); found > at_)
    return fail(errc::corrupt, fmt::format("{} has the LSN {}, expected at most {}",
                                           to_string(key::block(relation, fork, block)),
                                           to_string(found), to_string(at_)));
  if (checksums_ == page_checksums::on) pg::set_page_checksum(into, block);
  return {};
}

result<void> relation_backup::ensure_directory(uint32_t tablespace, uint32_t database) {
  if (tablespace == global_tablespace) return {};
  if (tablespace != default_tablespace && !tablespaces_.contains(tablespace))
    return fail(errc::corrupt,
                fmt::format("database {} has files in tablespace {}, which does not exist at {}",
                            database, tablespace, to_string(at_)));
  const std::string directory = database_directory(tablespace, database);
  if (!directories_.insert(directory).second) return {};
  return sink_.add_directory(directory);
}

result<void> relation_backup::write_tablespaces() {
  ZENITH_TRY_ASSIGN(const auto keys,
                    view_.keys(first_of(key_kind::tablespace), last_of(key_kind::tablespace), at_));
  for (const key& k : keys) {
    tablespaces_.insert(k.a);
    ZENITH_TRY(sink_.add_tablespace(k.a));
    ZENITH_TRY(sink_.add_directory(tablespace_version_directory(k.a)));
  }
  return {};
}

result<void> relation_backup::write_databases() {
  ZENITH_TRY_ASSIGN(auto databases,
                    view_.keys(first_of(key_kind::database), last_of(key_kind::database), at_));
  databases.insert(databases.begin(), key::database(global_tablespace, 0));
  for (const key& k : databases) {
    const std::string directory = database_directory(k.a, k.b);
    ZENITH_TRY(ensure_directory(k.a, k.b));
    ZENITH_TRY_ASSIGN(const auto map, view_.value(key::relation_map(k.a, k.b), at_));
    if (!map)
      return fail(errc::corrupt,
                  fmt::format("{} does not exist at {}, though its database does",
                              to_string(key::relation_map(k.a, k.b)), to_string(at_)));
    ZENITH_TRY(sink_.add_file(directory + "/pg_filenode.map", *map));
    if (k.a == global_tablespace) continue;
    ZENITH_TRY(sink_.add_file(directory + "/PG_VERSION", as_bytes(version_file_contents)));
  }
  return {};
}

result<void> relation_backup::write_relations() {
  ZENITH_TRY(write_tablespaces());
  ZENITH_TRY(write_databases());
  ZENITH_TRY_ASSIGN(const auto keys, view_.keys(first_of(key_kind::relation_size),
                                                last_of(key_kind::relation_size), at_));
  for (auto k = keys.begin(); k != keys.end();) {
    const relation_id relation = k->relation();
    relation_forks forks;
    for (; k != keys.end() && k->relation() == relation; ++k) {
      ZENITH_TRY_ASSIGN(const auto state, view_.relation(relation, k->relation_fork(), at_));
      if (state) forks[k->relation_fork()] = state->blocks();
    }
    ZENITH_TRY(write_relation(relation, forks));
  }
  return {};
}

result<void> relation_backup::write_relation(const relation_id& relation,
                                             const relation_forks& forks) {
  ZENITH_TRY(ensure_directory(relation.tablespace, relation.database));
  ++relation_count_;
  if (forks.is_unlogged()) {
    const page_source source = source_of(relation, fork_number::init);
    const block_number blocks = *forks[fork_number::init];
    ZENITH_TRY(write_fork(relation, fork_number::main, blocks, source));
    return write_fork(relation, fork_number::init, blocks, source);
  }
  if (forks[fork_number::main]) {
    ZENITH_TRY(write_main_fork(relation, forks));
  } else if (forks[fork_number::fsm]) {
    ZENITH_TRY(write_kept_free_space_map(relation, *forks[fork_number::fsm]));
  }
  if (!forks[fork_number::vm]) return {};
  return write_fork(relation, fork_number::vm, *forks[fork_number::vm],
                    source_of(relation, fork_number::vm));
}

relation_backup::page_source relation_backup::source_of(const relation_id& relation,
                                                        fork_number fork) const {
  return [this, relation, fork](block_number block, page& into) {
    return read_page(relation, fork, block, into);
  };
}

result<void> relation_backup::write_main_fork(const relation_id& relation,
                                              const relation_forks& forks) {
  free_space_notes notes;
  ZENITH_TRY(write_fork(relation, fork_number::main, *forks[fork_number::main],
                        [&](block_number block, page& into) -> result<void> {
                          ZENITH_TRY(read_page(relation, fork_number::main, block, into));
                          notes.add(into, block);
                          return {};
                        }));
  if (notes.is_heap()) return write_made_free_space_map(relation, notes.categories());
  if (!forks[fork_number::fsm]) return {};
  return write_kept_free_space_map(relation, *forks[fork_number::fsm]);
}

result<void> relation_backup::write_fork(const relation_id& relation, fork_number fork,
                                         block_number blocks, const page_source& source) {
  std::vector<page> buffer(std::min<size_t>(std::max(blocks, 1u), pages_per_write));
  block_number block = 0;
  // An empty fork is an empty file; a fork that fills its last segment needs no empty one after.
  do {
    const uint32_t in_segment = std::min(blocks - block, blocks_per_segment);
    const std::string name = data_directory::file_of(relation, fork, block);
    ZENITH_TRY(sink_.begin_file(name, owner_file_mode, uint64_t{in_segment} * page_size_bytes));
    for (uint32_t done = 0; done < in_segment;) {
      const uint32_t count = std::min(in_segment - done, pages_per_write);
      for (uint32_t i = 0; i < count; ++i) ZENITH_TRY(source(block + done + i, buffer[i]));
      ZENITH_TRY(sink_.write(bytes_of(buffer, count)));
      done += count;
    }
    ZENITH_TRY(sink_.end_file());
    block += in_segment;
    bytes_ += uint64_t{in_segment} * page_size_bytes;
  } while (block < blocks);
  return {};
}

result<void> relation_backup::write_made_free_space_map(const relation_id& relation,
                                                        const std::vector<uint8_t>& categories) {
  const auto heap_blocks = static_cast<block_number>(categories.size());
  return write_fork(relation, fork_number::fsm, pg::fsm_block_count(heap_blocks),
                    [&](block_number block, page& into) -> result<void> {
                      pg::make_fsm_page(categories, block, into);
                      if (checksums_ == page_checksums::on) pg::set_page_checksum(into, block);
                      return {};
                    });
}

result<void> relation_backup::write_kept_free_space_map(const relation_id& relation,
                                                        block_number blocks) {
  // Read as a whole before it is begun, so that it can be left out.
  constexpr block_number at_most = 8192;
  if (blocks == 0 || blocks > at_most) return {};
  std::vector<page> pages(blocks);
  for (block_number block = 0; block < blocks; ++block)
    if (!read_page(relation, fork_number::fsm, block, pages[block])) return {};
  return write_fork(relation, fork_number::fsm, blocks,
                    [&](block_number block, page& into) -> result<void> {
                      into = pages[block];
                      return {};
                    });
}

result<void> relation_backup::write_slrus() {
  ZENITH_TRY_ASSIGN(const auto keys,
                    view_.keys(first_of(key_kind::slru_page), last_of(key_kind::slru_page), at_));
  std::map<std::pair<slru_kind, uint32_t>, std::vector<uint32_t>> segments;
  for (const key& k : keys) segments[{k.slru_of(), k.d / slru_pages_per_segment}].push_back(k.d);
  for (const auto& [segment, pages] : segments)
    ZENITH_TRY(write_slru_segment(segment.first, segment.second, pages));
  return {};
}

result<void> relation_backup::write_slru_segment(slru_kind slru, uint32_t segment,
                                                 const std::vector<uint32_t>& pages) {
  for (size_t i = 1; i < pages.size(); ++i)
    if (pages[i] != pages[i - 1] + 1)
      return fail(errc::corrupt,
                  fmt::format("{} does not exist at {}, though pages before and after it do",
                              to_string(key::slru(slru, pages[i - 1] + 1)), to_string(at_)));
  const uint32_t first = segment * slru_pages_per_segment;
  const uint64_t length = pages.back() + 1 - first;
  ZENITH_TRY(sink_.begin_file(slru_file(slru, segment), owner_file_mode, length * page_size_bytes));
  // Pages before the first that exists were cut off together with all that referred to them.
  ZENITH_TRY(sink_.write_zeros(uint64_t{pages.front() - first} * page_size_bytes));
  for (const uint32_t number : pages) {
    ZENITH_TRY_ASSIGN(const auto value, view_.value(key::slru(slru, number), at_));
    if (!value || value->size() != page_size_bytes)
      return fail(
          errc::corrupt,
          fmt::format("{} has {} bytes at {}, expected {}", to_string(key::slru(slru, number)),
                      value ? value->size() : 0, to_string(at_), page_size_bytes));
    ZENITH_TRY(sink_.write(*value));
  }
  return sink_.end_file();
}

}  // namespace zenith::backup
