// Going through the entries of a block file: down the index to a key, and on to the next ones.
#include <fmt/format.h>

#include "storage/layers/block_file_reader.hpp"
#include "storage/layers/block_filter.hpp"

namespace zenith::layers {
namespace {

/// What is read at once where it is known that more will be.
constexpr uint64_t ahead_bytes = uint64_t{512} << 10;

}  // namespace

result<void> block_file_cursor::seek(byte_view key) {
  data_.reset();
  if (reader_->root_.size() == 0) return {};
  ZENITH_TRY(descend(start(), key));
  ZENITH_TRY(load_data());
  entry_ = data_->lower_bound(key);
  if (entry_ < data_->size()) return {};
  --entry_;
  return next();
}

result<bool> block_file_cursor::seek_same(byte_view key, size_t same_bytes) {
  data_.reset();
  if (reader_->root_.size() == 0) return false;
  ZENITH_TRY(descend(start(), key));
  const byte_view same = key.first(same_bytes);
  const frame& lowest = frame_at(1);
  const byte_view filter = lowest.index->value(lowest.entry).subspan(sizeof(block_place));
  if (same_bytes != reader_->description_.filter_key_bytes ||
      filter_may_hold(filter, filter_hash(same))) {
    ZENITH_TRY(load_data());
    entry_ = data_->lower_bound(key);
    if (entry_ < data_->size()) return compare(same, this->key()) == 0;
  }
  // Not in this block; the next one may still begin with it.
  ZENITH_TRY_ASSIGN(const bool is_there, to_next_block_entry());
  if (!is_there || compare(same, lowest.index->key(lowest.entry)) != 0) return false;
  ZENITH_TRY(load_data());
  entry_ = data_->lower_bound(key);
  return true;
}

result<void> block_file_cursor::seek_back(byte_view key) {
  data_.reset();
  if (reader_->root_.size() == 0 || compare(reader_->root_.key(0), key) > 0) return {};
  ZENITH_TRY(descend(start(), key));
  ZENITH_TRY(load_data());
  entry_ = data_->lower_bound(key);
  if (entry_ == data_->size() || compare(data_->key(entry_), key) > 0) --entry_;
  return {};
}

result<void> block_file_cursor::next() {
  if (++entry_ < data_->size()) return {};
  const block_ptr before = std::move(data_);
  data_.reset();
  ZENITH_TRY_ASSIGN(const bool is_there, to_next_block_entry());
  if (!is_there) return {};
  const frame& lowest = frame_at(1);
  if (compare(before->key(before->size() - 1), lowest.index->key(lowest.entry)) >= 0)
    return reader_->damaged(offset(), "a block does not begin behind the one before it");
  ZENITH_TRY(load_data());
  entry_ = 0;
  return {};
}

uint64_t block_file_cursor::offset() const {
  return block_file_reader::place_of(*frames_[0].index, frames_[0].entry).offset;
}

/// To the root, whose height it gives.
unsigned block_file_cursor::start() {
  const unsigned top = reader_->index_levels_ + 1;
  frame_at(top) = {nullptr, &reader_->root_, 0, sizeof(block_file_header)};
  return top;
}

/// From the index block of this height down to the lowest one; by no key to what is first.
result<void> block_file_cursor::descend(unsigned height, byte_view key) {
  for (;; --height) {
    frame& here = frame_at(height);
    here.entry = key.empty() ? 0 : block_file_reader::entry_of(*here.index, key);
    if (height == 1) return {};
    ZENITH_TRY(go_below(height));
  }
}

/// Sets the frame below by the entry of this one.
result<void> block_file_cursor::go_below(unsigned height) {
  const frame& here = frame_at(height);
  const uint64_t begin = block_file_reader::begin_of(*here.index, here.entry, here.begin);
  ZENITH_TRY_ASSIGN(block_ptr lower, reader_->child(*here.index, here.entry, height - 1, begin));
  const block* const index = lower.get();
  frame_at(height - 1) = {std::move(lower), index, 0, begin};
  return {};
}

/// To the entry of the next data block; false at the end.
result<bool> block_file_cursor::to_next_block_entry() {
  const unsigned top = reader_->index_levels_ + 1;
  for (unsigned height = 1; height <= top; ++height) {
    frame& here = frame_at(height);
    if (++here.entry == here.index->size()) continue;
    if (height == 1) return true;
    ZENITH_TRY(go_below(height));
    ZENITH_TRY(descend(height - 1, {}));
    return true;
  }
  return false;
}

result<void> block_file_cursor::load_data() {
  const frame& lowest = frame_at(1);
  if (how_ == reads::cached) {
    ZENITH_TRY_ASSIGN(data_, reader_->child(*lowest.index, lowest.entry, 0, 0));
    return {};
  }
  const block_place place = block_file_reader::place_of(*lowest.index, lowest.entry);
  ZENITH_TRY_ASSIGN(block read, stream_block(place));
  ZENITH_TRY(reader_->check_first_key(read, place, lowest.index->key(lowest.entry)));
  data_ = std::make_shared<const block>(std::move(read));
  return {};
}

/// Of a data block; what lies behind it is read along.
result<block> block_file_cursor::stream_block(const block_place& place) {
  if (place.offset < ahead_at_ || place.end() > ahead_at_ + ahead_.size()) {
    const uint64_t wanted = std::max<uint64_t>(place.size_bytes, ahead_bytes);
    ahead_.resize(std::min(wanted, reader_->size_bytes_ - place.offset));
    ahead_at_ = place.offset;
    if (auto done = reader_->file_->read(place.offset, ahead_); !done) {
      ahead_.clear();
      return tl::unexpected(std::move(done).error());
    }
  }
  return reader_->unpack(byte_view(ahead_).subspan(place.offset - ahead_at_, place.size_bytes),
                         place.offset);
}

}  // namespace zenith::layers
