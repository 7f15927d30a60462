// Redo of one record on the newest page, compared with the record's image.
#include "storage/layers/image_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/postgres/mask.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::layers {

image_checker::image_checker(std::shared_ptr<const memory_layer> layer, view newest,
                             size_t pages_max, problem_callback on_problem)
    : layer_(std::move(layer)),
      newest_(std::move(newest)),
      pages_max_(std::max<size_t>(pages_max, 1)),
      on_problem_(std::move(on_problem)) {}

void image_checker::continue_in(std::shared_ptr<const memory_layer> layer, view newest) {
  for (auto one = layer == layer_ ? recent_.end() : recent_.begin(); one != recent_.end(); ++one) {
    if (!one->newest.is_valid()) continue;
    const auto is_newest = bring_forward(layer_->published(), nullptr, *one);
    // What cannot be made is found, and told, at the page's next image.
    if (!is_newest || !*is_newest) one->newest = lsn{};
  }
  layer_ = std::move(layer);
  newest_ = std::move(newest);
}

void image_checker::check(const pg::record& record) {
  // Images of other resource managers are never for checking (rmgrlist.h); WAL that has one all
  // the same gets no mask but for LSN and checksum.
  for (const pg::block_reference& reference : record.blocks())
    if (reference.has_image && !reference.image.apply) check_page(record, reference);
}

void image_checker::check_page(const pg::record& record, const pg::block_reference& reference) {
  page image;
  if (const auto restored = pg::restore_image(reference, record.start, image); !restored) {
    ++counts_.failures;
    return tell(restored.error().message);
  }
  const key k = reference.page_key();
  known_page& ours = known(k);
  if (const auto made = make_page(record, k, ours); !made) {
    ++counts_.failures;
    tell(fmt::format("{} cannot be compared with its image: {}", pg::describe(record),
                     made.error().message));
  } else {
    ++counts_.checked;
    const auto different = pg::first_difference(record.rmgr, reference.block, ours.data, image);
    if (!different) return;
    ++counts_.mismatches;
    tell(fmt::format(
        "{} as of {} differs from the image in {} (block reference {}) first at byte "
        "{}: redo gives {:#04x}, the server has {:#04x}",
        to_string(k), to_string(record.end), pg::describe(record), reference.id, different->offset,
        std::to_integer<unsigned>(different->first), std::to_integer<unsigned>(different->second)));
  }
  pg::set_page_lsn(image, record.end);
  ours.data = image;
  ours.newest = record.end;
}

result<void> image_checker::make_page(const pg::record& record, const key& k, known_page& into) {
  if (into.newest.is_valid()) {
    ZENITH_TRY_ASSIGN(const bool is_newest, bring_forward(record.end, &record, into));
    if (is_newest) return {};
  }
  ZENITH_TRY(newest_.read_page(k.relation(), k.relation_fork(), k.d, record.end, into.data));
  into.newest = record.end;
  return {};
}

/// Applies what came since. Gives false where the page does not follow from the known one: it was
/// cut off, dropped, copied or made anew since.
result<bool> image_checker::bring_forward(lsn at, const pg::record* record_at_hand,
                                          known_page& known) {
  const key& k = known.of;
  ZENITH_TRY_ASSIGN(const auto size, newest_.relation(k.relation(), k.relation_fork(), at));
  if (!size || k.d >= size->blocks() || size->hidden_until(k.d) >= known.newest) return false;
  history_.clear();
  ZENITH_TRY(layer_->collect(k, known.newest, at, history_));
  if (history_.state != key_history::state_kind::open) return false;
  for (auto it = history_.records.rbegin(); it != history_.records.rend(); ++it) {
    const pg::record* next = record_at_hand;
    if (next == nullptr || it->start != next->start) {
      ZENITH_TRY(pg::decode_record(it->bytes, it->start, it->end, older_));
      next = &older_;
    }
    ZENITH_TRY(redo::apply(*next, k, known.data));
  }
  known.newest = at;
  return true;
}

/// The page's place, first in line; its `newest` is 0/0 where its contents are not known.
image_checker::known_page& image_checker::known(const key& k) {
  if (const auto found = places_.find(k); found != places_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front();
  }
  if (recent_.size() < pages_max_) {
    recent_.emplace_front();
  } else {
    places_.erase(recent_.back().of);
    recent_.splice(recent_.begin(), recent_, std::prev(recent_.end()));
  }
  recent_.front().of = k;
  recent_.front().newest = lsn{};
  places_[k] = recent_.begin();
  return recent_.front();
}

void image_checker::tell(const std::string& what) const {
  if (on_problem_) on_problem_(what);
}

}  // namespace zenith::layers
