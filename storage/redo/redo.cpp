// apply: what page redo has in common for all records, and which resource manager does the rest.
#include "storage/redo/redo.hpp"

#include <fmt/format.h>

#include <array>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/resource_managers.hpp"

namespace zenith::redo {
namespace {

constexpr auto apply_functions = [] {
  using rm = pg::resource_manager;
  std::array<apply_function, 256> table{};
  const auto set = [&table](rm rmgr, apply_function apply) {
    table[static_cast<size_t>(rmgr)] = apply;
  };
  set(rm::xlog, apply_xlog);
  set(rm::transaction, apply_transaction);
  set(rm::storage, apply_storage);
  set(rm::clog, apply_clog);
  set(rm::multixact, apply_multixact);
  set(rm::commit_ts, apply_commit_ts);
  set(rm::heap2, apply_heap2);
  set(rm::heap, apply_heap);
  set(rm::btree, apply_btree);
  set(rm::hash, apply_hash);
  set(rm::gin, apply_gin);
  set(rm::gist, apply_gist);
  set(rm::spgist, apply_spgist);
  set(rm::brin, apply_brin);
  set(rm::sequence, apply_sequence);
  set(rm::generic, apply_generic);
  return table;
}();

/// What a resource manager still does to a page that was restored from an image: few look for
/// BLK_RESTORED in PostgreSQL.
constexpr auto finish_image_functions = [] {
  using rm = pg::resource_manager;
  std::array<apply_function, 256> table{};
  table[static_cast<size_t>(rm::gist)] = finish_gist_image;
  return table;
}();

error about(const pg::record& record, const key& k, const error& cause) {
  return {cause.code, fmt::format("{}: {}: {}", to_string(k), pg::describe(record), cause.message)};
}

const pg::block_reference* find_reference(const pg::record& record, const key& k) {
  if (k.kind != key_kind::relation_block) return nullptr;
  for (const auto& block : record.blocks())
    if (block.block == k.d && block.fork == k.relation_fork() && block.relation == k.relation())
      return &block;
  return nullptr;
}

/// XLogReadBufferForRedoExtended (xlogutils.c): what happens to the page before, or instead of,
/// the resource manager's own part. Gives what is left to do.
enum class next_step { redo, finish_image, nothing };
result<next_step> prepare(const pg::record& record, const pg::block_reference& reference, page& p) {
  if (reference.has_image && reference.image.apply) {
    ZENITH_TRY(pg::restore_image(reference, record.start, p));
    // A new page has no place for an LSN yet.
    if (!pg::page_is_new(p)) pg::set_page_lsn(p, record.end);
    return next_step::finish_image;
  }
  if (reference.will_init) {
    p.data.fill(std::byte{0});
    return next_step::redo;
  }
  return pg::page_lsn(p) >= record.end ? next_step::nothing : next_step::redo;
}

result<void> apply_checked(const pg::record& record, const key& k, page& p) {
  if (k.kind != key_kind::relation_block && k.kind != key_kind::slru_page)
    return fail(errc::invalid_argument, "only pages are redone, and this key names no page");
  const auto* reference = find_reference(record, k);
  if (reference != nullptr) {
    ZENITH_TRY_ASSIGN(const auto step, prepare(record, *reference, p));
    if (step == next_step::nothing) return {};
    if (step == next_step::finish_image) {
      const auto finish = finish_image_functions[static_cast<size_t>(record.rmgr)];
      return finish != nullptr ? finish(record, reference, k, p) : result<void>{};
    }
  }
  const auto apply = apply_functions[static_cast<size_t>(record.rmgr)];
  if (apply == nullptr) return tl::unexpected<error>(no_redo_for(record));
  return apply(record, reference, k, p);
}

}  // namespace

error no_redo_for(const pg::record& record) {
  return {errc::unsupported,
          fmt::format("no redo for records of resource manager {} ({}); a page that they change "
                      "can be read again from its next full image on",
                      static_cast<unsigned>(record.rmgr), pg::resource_manager_name(record.rmgr))};
}

result<void> apply(const pg::record& record, const key& k, page& p) {
  auto applied = apply_checked(record, k, p);
  if (!applied) return tl::unexpected<error>(about(record, k, applied.error()));
  return {};
}

}  // namespace zenith::redo
