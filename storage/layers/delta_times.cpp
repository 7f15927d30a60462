// Times of transaction ends in a delta layer, by bisecting the batches that it holds.
#include <fmt/format.h>

#include "storage/layers/delta_key.hpp"
#include "storage/layers/delta_layer.hpp"
#include "storage/layers/stored_version.hpp"

namespace zenith::layers {
namespace {

/// The last batches that begin at or before an LSN, one after the other.
class batches {
 public:
  explicit batches(const block_file_reader& file) : file_(file), at_(file) {}

  /// To the last one; false where there is none.
  result<bool> seek_back(lsn at) {
    const key wanted = key::transaction_ends(at.value());
    ZENITH_TRY(at_.seek_back(encode_delta_key(encode(wanted), lsn{})));
    return take();
  }
  /// To the first one; false where there is none.
  result<bool> seek_first() {
    ZENITH_TRY(at_.seek(encode_delta_key(encode(key::transaction_ends(0)), lsn::max())));
    return take();
  }
  result<bool> next() {
    ZENITH_TRY(at_.next());
    return take();
  }
  lsn first_end() const { return first_end_; }
  result<int64_t> newest() const { return named(newest_time_of(encoded_)); }
  result<transaction_end_batch> decode() const {
    ZENITH_TRY_ASSIGN(auto batch, named(decode_transaction_ends(encoded_)));
    if (batch.ends.front().end != first_end_)
      return file_.damaged(at_.offset(),
                           fmt::format("a batch of transaction ends begins at {}, expected {}",
                                       to_string(batch.ends.front().end), to_string(first_end_)));
    return batch;
  }

 private:
  result<bool> take() {
    if (at_.at_end()) return false;
    ZENITH_TRY_ASSIGN(const key k, named(decode_key(at_.key().first(encoded_key_size_bytes))));
    if (k.kind != key_kind::transaction_ends) return false;
    stored_version found;
    ZENITH_TRY(named(decode_version(lsn_of_delta_key(at_.key()), at_.value(), found)));
    if (found.kind != version_kind::value)
      return file_.damaged(
          at_.offset(),
          fmt::format("transaction ends at {} are a version of kind {}",
                      to_string(lsn_of_delta_key(at_.key())), static_cast<int>(found.kind)));
    first_end_ = first_end_of(k);
    encoded_ = found.data;
    return true;
  }
  /// With the file's name in its error.
  template <class T>
  result<T> named(result<T> outcome) const {
    if (!outcome) return file_.damaged(at_.offset(), outcome.error().message);
    return outcome;
  }

  const block_file_reader& file_;
  block_file_cursor at_;
  lsn first_end_;
  byte_view encoded_;
};

}  // namespace

result<std::optional<transaction_end>> delta_layer::first_later_than(int64_t time_us,
                                                                     lsn until) const {
  batches at(*reader_);
  uint64_t low = reader_->description().first.value();
  uint64_t high = std::min(until, reader_->description().last).value();
  // The largest time so far never falls: of the LSNs at which it is later, the first one.
  const auto is_later_at = [&](lsn wanted) -> result<bool> {
    ZENITH_TRY_ASSIGN(const bool is_there, at.seek_back(wanted));
    if (!is_there) return false;
    ZENITH_TRY_ASSIGN(const int64_t newest, at.newest());
    return newest > time_us;
  };
  ZENITH_TRY_ASSIGN(const bool is_any, is_later_at(lsn{high}));
  if (!is_any) return std::nullopt;
  high = at.first_end().value();
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    ZENITH_TRY_ASSIGN(const bool is_later, is_later_at(lsn{middle}));
    if (is_later)
      high = at.first_end().value();
    else
      low = middle + 1;
  }
  ZENITH_TRY_ASSIGN(bool is_there, at.seek_back(lsn{high}));
  while (is_there && at.first_end() <= until) {
    ZENITH_TRY_ASSIGN(const auto batch, at.decode());
    if (auto found = batch.first_later_than(time_us, until)) return found;
    ZENITH_TRY_ASSIGN(is_there, at.next());
  }
  return std::nullopt;
}

result<std::optional<transaction_end>> delta_layer::first_end_from(lsn from, lsn until) const {
  batches at(*reader_);
  // The batch in which it lies, or where that has ended before, the next one.
  ZENITH_TRY_ASSIGN(bool is_there, at.seek_back(from));
  if (!is_there) {
    ZENITH_TRY_ASSIGN(is_there, at.seek_first());
  }
  while (is_there && at.first_end() <= until) {
    ZENITH_TRY_ASSIGN(const auto batch, at.decode());
    if (auto found = batch.first_from(from, until)) return found;
    if (batch.ends.back().end >= from) return std::nullopt;
    ZENITH_TRY_ASSIGN(is_there, at.next());
  }
  return std::nullopt;
}

result<std::optional<int64_t>> delta_layer::newest_time(lsn until) const {
  batches at(*reader_);
  ZENITH_TRY_ASSIGN(const bool is_there, at.seek_back(until));
  if (!is_there) return std::nullopt;
  ZENITH_TRY_ASSIGN(const auto batch, at.decode());
  const int64_t newest = batch.newest_time(until);
  if (newest == no_time) return std::nullopt;
  return newest;
}

}  // namespace zenith::layers
