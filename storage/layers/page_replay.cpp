// Where a page starts, and the records on it.
#include "storage/layers/page_replay.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::layers {
namespace {

bool is_map(const key& k) {
  return k.kind == key_kind::relation_block && k.relation_fork() == fork_number::vm;
}

/// What a map's page says of bits that its first image left out is told from that image, as long
/// as it is there.
tl::unexpected<error> needs_its_image(const key& k) {
  return fail(errc::unsupported,
              fmt::format("{} begins with an image without its bits", to_string(k)));
}

}  // namespace

page_replay::page_replay(merge_history& history, page_checksums checksums, const key& k)
    : history_(&history), checksums_(checksums), key_(k) {}

bool page_replay::apply(const version_entry& v, lsn state) {
  if (v.kind != version_kind::changes) {
    last_ = v.at;
    if (!start_from(v)) base_ = base::none;
    return base_ == base::page;
  }
  visible_versions seen;
  if (key_.kind == key_kind::relation_block) {
    const auto asked = history_->seen_at(key_, state);
    // Of a fork that the state does not have nothing can be told, nor what follows from it.
    if (!asked || !asked->exists) {
      last_ = v.at;
      base_ = base::none;
      return false;
    }
    if (!asked->shows(v.at)) return false;
    seen = *asked;
  }
  if (last_ <= seen.hidden_until) base_ = base::unread;
  last_ = v.at;
  if (base_ != base::none && (!read_base(v, state) || !redo(v))) base_ = base::none;
  return base_ == base::page;
}

result<void> page_replay::start_from(const version_entry& v) {
  switch (v.kind) {
    case version_kind::value:
      if (v.data.size() != page_size_bytes) return fail(errc::corrupt, "no page");
      std::copy(v.data.begin(), v.data.end(), page_.begin());
      break;
    case version_kind::absent:
      if (key_.kind == key_kind::slru_page) return fail(errc::not_found, "no page");
      page_.data.fill(std::byte{0});
      break;
    case version_kind::copy:
      source_ = v.source;
      source_at_ = v.source_at;
      base_ = base::copy;
      return {};
    case version_kind::initialises:
    case version_kind::changes:
      page_.data.fill(std::byte{0});
      ZENITH_TRY(redo(v));
      break;
  }
  base_ = base::page;
  return {};
}

result<void> page_replay::read_base(const version_entry& v, lsn state) {
  if (base_ == base::unread) {
    if (is_map(key_)) {
      ZENITH_TRY_ASSIGN(const bool lacks, history_->lacks_bits_before(key_, v.at, state));
      if (lacks) return needs_its_image(key_);
    }
    ZENITH_TRY(history_->page_before(key_, v.at, state, page_));
  } else if (base_ == base::copy) {
    if (is_map(key_)) {
      ZENITH_TRY_ASSIGN(const bool lacks, history_->lacks_bits_at(source_, source_at_));
      if (lacks) return needs_its_image(key_);
    }
    ZENITH_TRY(history_->page_at(source_, source_at_, page_));
  }
  base_ = base::page;
  return {};
}

result<void> page_replay::redo(const version_entry& v) {
  static thread_local pg::record record;
  ZENITH_TRY(pg::decode_record(v.data, v.record_start, v.at, record));
  if (is_map(key_))
    for (const pg::block_reference& block : record.blocks())
      if (block.page_key() == key_ && block.has_image && block.image.apply &&
          lacks_map_bits(block.image))
        return needs_its_image(key_);
  return redo::apply(record, key_, page_);
}

const page& page_replay::made() {
  if (key_.kind == key_kind::relation_block && checksums_ == page_checksums::on)
    pg::set_page_checksum(page_, key_.d);
  return page_;
}

}  // namespace zenith::layers
