// Parts in their order, and how far they are sent.
#include "protocol/pages/outgoing.hpp"

#include <algorithm>

#include "storage/base/assert.hpp"

namespace zenith::pages {
namespace {

/// Text that was sent is given up once it is so much; before that, moving the rest costs more.
constexpr size_t sent_text_bytes_max = size_t{64} << 10;

}  // namespace

void outgoing::add_page(std::shared_ptr<const page> data) {
  ZENITH_ASSERT(data != nullptr);
  pages_.push_back({text_.size(), std::move(data)});
}

size_t outgoing::gather(std::span<byte_view> into) const {
  size_t count = 0;
  size_t text_at = text_sent_;
  size_t page_at = page_sent_;
  const auto add = [&](byte_view part) {
    if (!part.empty()) into[count++] = part;
    return count < into.size();
  };
  for (const placed_page& one : pages_) {
    if (!add(byte_view(text_).subspan(text_at, one.at - text_at))) return count;
    text_at = one.at;
    if (!add(byte_view(one.data->data).subspan(page_at))) return count;
    page_at = 0;
  }
  add(byte_view(text_).subspan(text_at));
  return count;
}

void outgoing::sent(size_t size) {
  while (size > 0) {
    const size_t text_end = pages_.empty() ? text_.size() : pages_.front().at;
    const size_t text = std::min(size, text_end - text_sent_);
    text_sent_ += text;
    size -= text;
    if (size == 0) break;
    ZENITH_ASSERT(!pages_.empty());
    const size_t of_page = std::min(size, page_size_bytes - page_sent_);
    page_sent_ += of_page;
    size -= of_page;
    if (page_sent_ == page_size_bytes) {
      pages_.pop_front();
      page_sent_ = 0;
    }
  }
  drop_sent_text();
}

void outgoing::drop_sent_text() {
  if (text_sent_ != text_.size() && text_sent_ < sent_text_bytes_max) return;
  text_.erase(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(text_sent_));
  for (placed_page& one : pages_) one.at -= text_sent_;
  text_sent_ = 0;
}

}  // namespace zenith::pages
