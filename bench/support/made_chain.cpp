// Imports the root, and writes each level's WAL, layers and merges.
#include "bench/support/made_chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "bench/support/figures.hpp"
#include "storage/repository/import_cluster.hpp"
#include "tests/fuzz/wal_writer.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::bench {
namespace {

using repository::branch_base;
using repository::timeline_store;
using testing::record_builder;

constexpr uint64_t block_cache_bytes = uint64_t{256} << 20;
// Of the table's pages, one in so many is changed on a level, each so many times.
constexpr size_t pages_per_touched = 20;
constexpr int changes_of_page = 4;
// In the text of a page's first tuple, which lies at the page's end.
constexpr uint16_t changed_offset = page_size_bytes - 16;
constexpr int64_t first_commit_us = 1'000'000;
constexpr uint32_t first_xid = 1000;

uint32_t value_of(size_t level, int change_of_page) {
  return static_cast<uint32_t>(level) * changes_of_page + static_cast<uint32_t>(change_of_page);
}

template <class T>
T must(result<T> given) {
  if (!given) throw std::runtime_error(given.error().message);
  return std::move(*given);
}
void must(const result<void>& done) {
  if (!done) throw std::runtime_error(done.error().message);
}

byte_view body_of(const bytes& record) {
  return byte_view{record}.subspan(pg::record_header_size_bytes);
}

bytes full_page(const relation_id& table, block_number block, const page& content) {
  record_builder record(pg::resource_manager::xlog, 0);
  record.add({.relation = table,
              .number = block,
              .full_page = record_builder::image{bytes(content.data.begin(), content.data.end()), 0,
                                                 0, testing::image_apply}});
  return record.finish();
}

// A generic record's piece: u16 offset, u16 length, the bytes.
bytes change(const relation_id& table, block_number block, uint32_t value) {
  bytes piece(2 * sizeof(uint16_t) + sizeof value);
  store(piece.data(), changed_offset);
  store(piece.data() + 2, static_cast<uint16_t>(sizeof value));
  store(piece.data() + 4, value);
  record_builder record(pg::resource_manager::generic, 0);
  record.add({.relation = table, .number = block, .data = piece});
  return record.finish();
}

bytes commit(int64_t time_us) {
  bytes time(sizeof time_us);
  store(time.data(), time_us);
  return record_builder(pg::resource_manager::transaction, 0).main_data(time).finish();
}

void write_and_merge(timeline_store& timeline) {
  must(timeline.sync());
  must(timeline.freeze());
  auto& layers = timeline.layers();
  while (const auto job = layers.next_write()) {
    must(layers.install(*job, must(job->run())));
    timeline.layers_changed();
  }
  while (const auto job = must(layers.next_merge(timeline.kept(), false))) {
    must(layers.install(*job, must(job->run([] { return false; }))));
    timeline.layers_changed();
  }
}

}  // namespace

made_chain::made_chain(const testing::temporary_directory& directory, unsigned blocks) {
  // Small segments: each level has at least one of its own.
  const testing::postgres_server::options how{{"--wal-segsize=1"},
                                              "autovacuum = off\nmax_wal_size = 64MB\n"};
  testing::postgres_server server(directory, how);
  server.start();
  // 60 rows a page.
  server.execute(
      fmt::format("create table wide as select id, repeat(md5(id::text), 3) as v from "
                  "generate_series(1, {}) id",
                  60 * blocks));
  server.execute("vacuum freeze wide");
  const auto row = server.rows(
      "select d.oid, c.relfilenode, pg_relation_size(c.oid) / 8192 from pg_class c, pg_database d "
      "where c.relname = 'wide' and d.datname = current_database()");
  table_ = {1663, static_cast<uint32_t>(std::stoul(row.at(0).at(0))),
            static_cast<uint32_t>(std::stoul(row[0][1]))};
  pages_.resize(std::stoul(row[0][2]));
  server.stop();

  names_ = std::make_unique<repository::repository>(
      must(repository::repository::create(posix_file_system(), directory / "repository", "{}")));
  const auto root = must(repository::import_cluster(posix_file_system(), *names_, server.data(),
                                                    "main", -1, timestamp{}));
  identity_ = {root.system, root.segment_size_bytes};
  since_ = root.created_at;
  registry_ = new_registry();
  last_ = must(timeline_store::open(parameters_of(root.id, nullptr, registry_)));
  const auto view = last_->view();
  for (block_number block = 0; block < pages_.size(); ++block)
    must(view->read_page(table_, fork_number::main, block, last_->end(), pages_[block]));
  levels_.push_back({root.id, last_->end(), {}});
}

std::shared_ptr<layers::layer_files> made_chain::new_registry() const {
  return std::make_shared<layers::layer_files>(
      posix_file_system(), names_->directory() / "timelines",
      layers::layer_files::limits{.block_cache_bytes = block_cache_bytes});
}

timeline_store::parameters made_chain::parameters_of(
    const timeline_id& id, std::shared_ptr<const branch_base> parent,
    std::shared_ptr<layers::layer_files> registry) const {
  timeline_store::parameters how;
  how.files = &posix_file_system();
  how.directory = names_->timeline_directory(id);
  how.metadata = must(names_->timeline(id));
  how.parent = std::move(parent);
  how.registry = std::move(registry);
  return how;
}

repository::timeline_metadata made_chain::make_branch(const std::string& name,
                                                      timeline_store& parent) {
  must(parent.sync());
  const auto point = must(parent.find({}, timestamp{}));
  auto metadata = parent.metadata();
  metadata.ancestor = {metadata.id, point.at};
  metadata.id = timeline_id::random();
  metadata.start = point.at;
  metadata.start_previous_record = point.previous;
  const auto own = pg_timeline{static_cast<uint32_t>(metadata.current_pg_timeline()) + 1};
  metadata.pg_timelines.push_back({own, point.at});
  must(names_->create_branch(name, metadata));
  return metadata;
}

std::unique_ptr<timeline_store> made_chain::open_branch(const repository::timeline_metadata& branch,
                                                        const timeline_store& parent) {
  // The WAL before it from files, so that no level but the last stays open.
  auto base = std::make_shared<branch_base>(*must(parent.base_at(branch.start)));
  base->wal = must(names_->wal_before(branch.id));
  return must(timeline_store::open(parameters_of(branch.id, base, registry_)));
}

made_chain::made made_chain::add_level() {
  const size_t number = levels_.size();
  const stopwatch branching;
  const auto branch = make_branch(fmt::format("level{}", number), *last_);
  made took{branching.seconds() * 1e3, 0};
  const stopwatch opening;
  auto child = open_branch(branch, *last_);
  took.open_ms = opening.seconds() * 1e3;
  if (!flat_) flat_ = open_branch(make_branch("flat", *last_), *last_);
  last_ = std::move(child);

  std::vector<block_number> touched(pages_.size());
  std::iota(touched.begin(), touched.end(), block_number{0});
  std::shuffle(touched.begin(), touched.end(), random_);
  touched.resize((pages_.size() + pages_per_touched - 1) / pages_per_touched);
  write(*last_, touched);
  write(*flat_, touched);
  for (const block_number block : touched)
    store(pages_[block].begin() + changed_offset, value_of(number, changes_of_page));
  if (number > 2) levels_.back().pages.clear();
  levels_.push_back({branch.id, last_->end(), pages_});
  flat_level_ = {flat_->metadata().id, flat_->end(), pages_};
  return took;
}

void made_chain::write(timeline_store& timeline, const std::vector<block_number>& touched) {
  const size_t level = levels_.size();
  const lsn from = timeline.end();
  fuzz::wal_writer out(identity_, from, must(timeline.find({}, timestamp{})).previous,
                       timeline.metadata().current_pg_timeline());
  const auto append = [&out](pg::resource_manager rmgr, uint8_t info, const bytes& record,
                             uint32_t xid = 0) {
    out.append(static_cast<uint8_t>(rmgr), info, body_of(record), xid);
  };
  constexpr uint8_t xlog_fpi = 0xB0;
  for (const block_number block : touched)
    append(pg::resource_manager::xlog, xlog_fpi, full_page(table_, block, pages_[block]));
  for (int i = 1; i <= changes_of_page; ++i)
    for (const block_number block : touched)
      append(pg::resource_manager::generic, 0, change(table_, block, value_of(level, i)));
  append(pg::resource_manager::transaction, 0,
         commit(first_commit_us * static_cast<int64_t>(level)),
         first_xid + static_cast<uint32_t>(level));
  bytes all = std::move(out.data());
  all.resize((all.size() + 7) & ~size_t{7});
  must(timeline.begin_stream());
  must(timeline.append(from, byte_view{all}.subspan(from - out.begin())));
  write_and_merge(timeline);
}

std::unique_ptr<timeline_store> made_chain::open(
    const level& which, std::shared_ptr<layers::page_cache> cache,
    std::shared_ptr<layers::layer_files> registry) const {
  auto base = std::make_shared<branch_base>();
  const auto metadata = must(names_->timeline(which.id));
  base->from = metadata.start;
  base->wal = must(names_->wal_before(metadata.id));
  base->since = since_;
  auto how = parameters_of(metadata.id, base, std::move(registry));
  how.cache = std::move(cache);
  return must(timeline_store::open(std::move(how)));
}

}  // namespace zenith::bench
