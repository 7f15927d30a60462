// Finding versions in a delta layer: of a key newest first, of many keys in order.
#include "storage/layers/delta_layer.hpp"

#include <fmt/format.h>

#include "storage/layers/delta_key.hpp"
#include "storage/layers/listed_keys.hpp"
#include "storage/layers/stored_version.hpp"

namespace zenith::layers {
namespace {

constexpr lsn oldest_lsn{0};

/// A few versions are passed over one by one, many by a look into the index.
constexpr int steps_max = 8;

/// An error of taking an entry apart, with the file and the block in which it lies.
tl::unexpected<error> damaged(const block_file_reader& file, const block_file_cursor& at,
                              const error& why) {
  return file.damaged(at.offset(), why.message);
}

bool is_of(byte_view stored, byte_view k) {
  return compare(stored.first(encoded_key_size_bytes), k) == 0;
}

}  // namespace

result<std::shared_ptr<const delta_layer>> delta_layer::open(file_system& files, const path& name,
                                                             block_cache& cache,
                                                             uint64_t cache_file) {
  ZENITH_TRY_ASSIGN(auto reader,
                    block_file_reader::open(files, name, block_file_content::delta_layer,
                                            delta_key_size_bytes, cache, cache_file));
  return std::shared_ptr<const delta_layer>(new delta_layer(std::move(reader)));
}

result<void> delta_layer::collect(const key& k, lsn after, lsn until, key_history& history) const {
  const encoded_key wanted = encode(k);
  block_file_cursor at(*reader_);
  ZENITH_TRY_ASSIGN(const bool is_there,
                    at.seek_same(encode_delta_key(wanted, until), wanted.size()));
  if (!is_there) return {};
  for (; !at.at_end() && is_of(at.key(), wanted);) {
    const lsn version_at = lsn_of_delta_key(at.key());
    if (version_at <= after) break;
    stored_version found;
    if (auto done = decode_version(version_at, at.value(), found); !done)
      return damaged(*reader_, at, done.error());
    const bool refers = !found.data.empty();
    if (refers && (history.keeps.empty() || history.keeps.back() != at.data()))
      history.keeps.push_back(at.data());
    ZENITH_TRY(add_to_history(version_at, found, history));
    if (history.state != key_history::state_kind::open) return {};
    ZENITH_TRY(at.next());
  }
  return {};
}

result<void> delta_layer::list(const key& first, const key& last, lsn until,
                               const std::function<void(const key&)>& each) const {
  block_file_cursor at(*reader_);
  const auto scan = [&](const key& from, const key& to) -> result<void> {
    const encoded_key end = encode(to);
    ZENITH_TRY(at.seek(encode_delta_key(encode(from), lsn::max())));
    while (!at.at_end() && compare(at.key().first(end.size()), end) <= 0) {
      encoded_key here;
      std::ranges::copy(at.key().first(here.size()), here.begin());
      const auto k = decode_key(here);
      if (!k) return damaged(*reader_, at, k.error());
      if (lsn_of_delta_key(at.key()) > until) ZENITH_TRY(at.seek(encode_delta_key(here, until)));
      if (at.at_end()) return {};
      if (!is_of(at.key(), here)) continue;
      each(*k);
      for (int i = 0; i < steps_max && !at.at_end() && is_of(at.key(), here); ++i)
        ZENITH_TRY(at.next());
      if (!at.at_end() && is_of(at.key(), here))
        ZENITH_TRY(at.seek(encode_delta_key(here, oldest_lsn)));
    }
    return {};
  };
  return for_listed_keys(first, last, scan);
}

namespace {

class delta_cursor final : public version_cursor {
 public:
  delta_cursor(std::shared_ptr<const delta_layer> from, const key& first, const key& last,
               lsn until)
      : from_(std::move(from)),
        at_(from_->file(), block_file_cursor::reads::streaming),
        first_(encode(first)),
        last_(encode(last)),
        until_(until) {}

  result<bool> next(version_entry& into) override {
    if (!started_) {
      ZENITH_TRY(at_.seek(encode_delta_key(first_, until_)));
      started_ = true;
    } else {
      if (at_.at_end()) return false;
      ZENITH_TRY(at_.next());
    }
    for (int passed = 0;; ++passed) {
      if (at_.at_end() || compare(at_.key().first(last_.size()), last_) > 0) return false;
      into.at = lsn_of_delta_key(at_.key());
      if (into.at > until_) {
        ZENITH_TRY(passed < steps_max ? at_.next() : pass_newer());
        continue;
      }
      auto k = decode_key(at_.key().first(encoded_key_size_bytes));
      if (!k) return damaged(from_->file(), at_, k.error());
      stored_version found;
      if (auto done = decode_version(into.at, at_.value(), found); !done)
        return damaged(from_->file(), at_, done.error());
      into.k = *k;
      into.kind = found.kind;
      into.data = found.data;
      into.record_start = found.record_start;
      into.source = found.source;
      into.source_at = found.source_at;
      return true;
    }
  }

 private:
  /// To where the versions begin that count, of the key at hand.
  result<void> pass_newer() {
    encoded_key here;
    std::ranges::copy(at_.key().first(here.size()), here.begin());
    return at_.seek(encode_delta_key(here, until_));
  }

  std::shared_ptr<const delta_layer> from_;
  block_file_cursor at_;
  encoded_key first_;
  encoded_key last_;
  lsn until_;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<version_cursor> delta_layer::cursor(const key& first, const key& last,
                                                    lsn until) const {
  return std::make_unique<delta_cursor>(shared_from_this(), first, last, until);
}

}  // namespace zenith::layers
