// Redo of the metapage and the bitmap pages of hash indexes (hash_xlog.c).
#include <fmt/format.h>

#include <bit>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/hash_parts.hpp"
#include "storage/redo/record_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/hash.h>
#include <access/hash_xlog.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo::hash_index {
namespace {

constexpr size_t contents_at = MAXALIGN(SizeOfPageHeaderData);
constexpr size_t room_bytes = page_size_bytes - contents_at - sizeof(page_links);
static_assert(sizeof(HashMetaPageData) <= room_bytes);
// HASH_MAX_BITMAPS, whose own definition needs a macro that is taken back.
constexpr uint32_t max_bitmaps = std::extent_v<decltype(HashMetaPageData::hashm_mapp)>;

HashMetaPageData* contents_of(page& p) {
  return reinterpret_cast<HashMetaPageData*>(p.begin() + contents_at);
}

result<HashMetaPageData*> meta_of(page& p) {
  auto* meta = contents_of(p);
  if (meta->hashm_magic != HASH_MAGIC)
    return fail(errc::corrupt, fmt::format("the metapage's magic number is {:#x}, not {:#x}",
                                           meta->hashm_magic, HASH_MAGIC));
  return meta;
}

/// _hash_spareindex (hashutil.c): the splitpoint phase in which a bucket is allocated.
uint32_t spare_index(uint32_t bucket_count) {
  const auto group = static_cast<uint32_t>(std::bit_width(bucket_count - 1));
  if (group < HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE) return group;
  const uint32_t phase = (bucket_count - 1) >> (group - (HASH_SPLITPOINT_PHASE_BITS + 1));
  return HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE +
         ((group - HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE) << HASH_SPLITPOINT_PHASE_BITS) +
         (phase & HASH_SPLITPOINT_PHASE_MASK);
}

/// _hash_get_totalbuckets (hashutil.c): how many there are up to the end of a phase.
uint32_t total_buckets(uint32_t phase) {
  if (phase < HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE) return 1u << phase;
  const uint32_t multi_phase = phase - HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE;
  const uint32_t before = 1u << (HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE +
                                 (multi_phase >> HASH_SPLITPOINT_PHASE_BITS) - 1);
  return before +
         (before >> HASH_SPLITPOINT_PHASE_BITS) * ((multi_phase & HASH_SPLITPOINT_PHASE_MASK) + 1);
}

/// _hash_init_metabuffer (hashpage.c): how many buckets an index begins with.
uint32_t first_bucket_count(double tuples, uint16_t fill_factor) {
  const double wanted = tuples / fill_factor;
  if (!(wanted > 2.0)) return 2;
  if (wanted >= 0x40000000) return 0x40000000;
  return total_buckets(spare_index(static_cast<uint32_t>(wanted)));
}

result<void> init_metapage(const pg::record& record, page& p) {
  ZENITH_TRY_ASSIGN(const auto init,
                    read_main<xl_hash_init_meta_page>(record, SizeOfHashInitMetaPage));
  if (init.ffactor == 0) return fail(errc::corrupt, "the index's fill factor is 0");
  init_page(p, InvalidBlockNumber, InvalidBucket, LH_META_PAGE);
  const uint32_t buckets = first_bucket_count(init.num_tuples, init.ffactor);
  const uint32_t phase = spare_index(buckets);
  constexpr auto bitmap_size_log2 = std::bit_width(room_bytes) - 1;
  auto* meta = contents_of(p);
  meta->hashm_magic = HASH_MAGIC;
  meta->hashm_version = HASH_VERSION;
  meta->hashm_ffactor = init.ffactor;
  meta->hashm_bsize = room_bytes;
  meta->hashm_bmsize = 1u << bitmap_size_log2;
  meta->hashm_bmshift = bitmap_size_log2 + BYTE_TO_BIT;
  meta->hashm_procid = init.procid;
  meta->hashm_maxbucket = buckets - 1;
  meta->hashm_highmask = std::bit_ceil(buckets + 1) - 1;
  meta->hashm_lowmask = meta->hashm_highmask >> 1;
  meta->hashm_spares[phase] = 1;
  meta->hashm_ovflpoint = phase;
  store<uint16_t>(p.begin() + offsetof(PageHeaderData, pd_lower),
                  contents_at + sizeof(HashMetaPageData));
  return {};
}

result<void> add_bitmap(HashMetaPageData& meta, block_number block) {
  if (meta.hashm_nmaps >= max_bitmaps)
    return fail(errc::corrupt, fmt::format("the metapage has {} bitmap pages already, of {} at "
                                           "most",
                                           meta.hashm_nmaps, max_bitmaps));
  meta.hashm_mapp[meta.hashm_nmaps++] = block;
  return {};
}

result<uint32_t*> spares_at(HashMetaPageData& meta, uint32_t phase) {
  if (phase >= HASH_MAX_SPLITPOINTS)
    return fail(errc::corrupt, fmt::format("the splitpoint phase is {}, of {} at most", phase,
                                           HASH_MAX_SPLITPOINTS - 1));
  return &meta.hashm_spares[phase];
}

/// hash_xlog_add_ovfl_page.
result<void> add_overflow_page(const pg::record& record, const pg::block_reference& reference,
                               HashMetaPageData& meta) {
  ZENITH_TRY(read_main<xl_hash_add_ovfl_page>(record, SizeOfHashAddOvflPage));
  ZENITH_TRY_ASSIGN(meta.hashm_firstfree, record_reader(reference.data).take<uint32_t>());
  if (main_flag(record, offsetof(xl_hash_add_ovfl_page, bmpage_found))) return {};
  ZENITH_TRY_ASSIGN(auto* const spares, spares_at(meta, meta.hashm_ovflpoint));
  ++*spares;
  const auto* new_bitmap = record.block(3);
  if (new_bitmap == nullptr) return {};
  ZENITH_TRY(add_bitmap(meta, new_bitmap->block));
  ++*spares;
  return {};
}

/// hash_xlog_split_allocate_page.
result<void> allocate_bucket(const pg::record& record, const pg::block_reference& reference,
                             HashMetaPageData& meta) {
  ZENITH_TRY_ASSIGN(const auto split,
                    read_main<xl_hash_split_allocate_page>(record, SizeOfHashSplitAllocPage));
  record_reader data(reference.data);
  meta.hashm_maxbucket = split.new_bucket;
  if (split.flags & XLH_SPLIT_META_UPDATE_MASKS) {
    ZENITH_TRY_ASSIGN(meta.hashm_lowmask, data.take<uint32_t>());
    ZENITH_TRY_ASSIGN(meta.hashm_highmask, data.take<uint32_t>());
  }
  if (split.flags & XLH_SPLIT_META_UPDATE_SPLITPOINT) {
    ZENITH_TRY_ASSIGN(const auto phase, data.take<uint32_t>());
    ZENITH_TRY_ASSIGN(auto* const spares, spares_at(meta, phase));
    ZENITH_TRY_ASSIGN(*spares, data.take<uint32_t>());
    meta.hashm_ovflpoint = phase;
  }
  return {};
}

}  // namespace

result<void> apply_to_metapage(const pg::record& record, const pg::block_reference& reference,
                               page& p) {
  if (record.opcode() == XLOG_HASH_INIT_META_PAGE) return init_metapage(record, p);
  ZENITH_TRY_ASSIGN(auto* const meta, meta_of(p));
  switch (record.opcode()) {
    case XLOG_HASH_INIT_BITMAP_PAGE:
      // The first bitmap page follows the metapage and the buckets.
      return add_bitmap(*meta, meta->hashm_maxbucket + 2);
    case XLOG_HASH_INSERT:
      meta->hashm_ntuples += 1;
      return {};
    case XLOG_HASH_ADD_OVFL_PAGE:
      return add_overflow_page(record, reference, *meta);
    case XLOG_HASH_SPLIT_ALLOCATE_PAGE:
      return allocate_bucket(record, reference, *meta);
    case XLOG_HASH_SQUEEZE_PAGE: {
      ZENITH_TRY_ASSIGN(meta->hashm_firstfree, record_reader(reference.data).take<uint32_t>());
      return {};
    }
    case XLOG_HASH_UPDATE_META_PAGE: {
      ZENITH_TRY_ASSIGN(const auto update, read_main<xl_hash_update_meta_page>(record));
      meta->hashm_ntuples = update.ntuples;
      return {};
    }
    case XLOG_HASH_VACUUM_ONE_PAGE: {
      ZENITH_TRY_ASSIGN(const auto vacuum, read_main<xl_hash_vacuum_one_page>(record));
      meta->hashm_ntuples -= vacuum.ntuples;
      return {};
    }
    default:
      return fail(errc::corrupt, "a record of this kind does not change the metapage");
  }
}

result<void> init_bitmap(page& p, uint16_t size_bytes) {
  if (size_bytes > room_bytes)
    return fail(errc::corrupt, fmt::format("a bitmap of {} bytes does not fit a page", size_bytes));
  init_page(p, InvalidBlockNumber, InvalidBucket, LH_BITMAP_PAGE);
  std::fill_n(p.begin() + contents_at, size_bytes, std::byte{0xFF});
  store(p.begin() + offsetof(PageHeaderData, pd_lower),
        static_cast<uint16_t>(contents_at + size_bytes));
  return {};
}

result<void> change_bitmap(const pg::block_reference& reference, bit_value value, page& p) {
  ZENITH_TRY_ASSIGN(const auto bit, record_reader(reference.data).take<uint32_t>());
  if (bit >= room_bytes * 8)
    return fail(errc::corrupt, fmt::format("a bitmap page has no bit {}", bit));
  auto& byte = p.data[contents_at + bit / 8];
  const auto mask = std::byte{1} << (bit % 8);
  byte = value == bit_value::set ? byte | mask : byte & ~mask;
  return {};
}

}  // namespace zenith::redo::hash_index
