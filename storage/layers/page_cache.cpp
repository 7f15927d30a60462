// Looking under a timeline's histories, and keeping under them.
#include "storage/layers/page_cache.hpp"

#include "storage/layers/page_memory.hpp"

#include <algorithm>

namespace zenith::layers {

history_list root_histories() { return {{new_history(), lsn::max()}}; }

history_list child_histories(const history_list& parent, lsn branch) {
  history_list all = root_histories();
  for (const history_reference& one : parent) {
    if (all.size() == histories_max) break;
    all.push_back({one.id, std::min(one.until, branch)});
  }
  return all;
}

template <class Value>
std::optional<typename history_cache<Value>::entry> cached_history::find(
    history_cache<Value> page_cache::*in, const key& k, lsn at) const {
  if (!cache_) return std::nullopt;
  std::optional<typename history_cache<Value>::entry> best;
  for (const history_reference& one : histories_) {
    if (best && best->known_until >= std::min(at, one.until)) break;
    auto found = ((*cache_).*in).find(one.id, k, std::min(at, one.until));
    if (!found) continue;
    found->known_until = std::min(found->known_until, one.until);
    if (!best || best->known_until < found->known_until) best = std::move(found);
  }
  return best;
}

template <class Value>
void cached_history::keep_in(history_cache<Value>& in, const key& k,
                             const typename history_cache<Value>::entry& made) const {
  const auto farthest =
      std::find_if(histories_.rbegin(), histories_.rend(),
                   [&](const history_reference& one) { return one.until >= made.newest; });
  in.put(farthest->id, k, {made.newest, std::min(made.known_until, farthest->until), made.data});
  if (farthest->until < made.known_until) in.put(histories_.front().id, k, made);
}

std::optional<page_entries::entry> cached_history::find_page(const key& k, lsn at) const {
  return find(&page_cache::pages, k, at);
}

std::optional<size_entries::entry> cached_history::find_size(const key& k, lsn at) const {
  return find(&page_cache::sizes, k, at);
}

void cached_history::keep(const key& k, const page_entries::entry& known) const {
  keep_in(cache_->pages, k, known);
}

void cached_history::keep(const key& k, const size_entries::entry& known) const {
  keep_in(cache_->sizes, k, known);
}

page_entries::held_ptr cached_history::held(const page& found) {
  return std::allocate_shared<const page_entries::held>(page_allocator<page_entries::held>{}, found,
                                                        page_piece_bytes);
}

std::shared_ptr<page_entries::held> cached_history::page_to_fill() {
  return std::allocate_shared<page_entries::held>(page_allocator<page_entries::held>{},
                                                  page_entries::held::unfilled{}, page_piece_bytes);
}

size_entries::held_ptr cached_history::held(const std::optional<relation_state>& found) {
  const size_t cuts = found ? found->cuts().size() * sizeof(relation_state::cut) : 0;
  return std::make_shared<const size_entries::held>(found, sizeof(size_entries::held) + cuts);
}

}  // namespace zenith::layers
