// Writing and reading an image layer's entries.
#include "storage/layers/image_layer.hpp"

#include "storage/layers/listed_keys.hpp"

namespace zenith::layers {

result<image_writer> image_writer::create(file_system& files, const path& name, lsn at,
                                          int compression_level, const block_file_sizes& sizes) {
  const block_file_description description{block_file_content::image_layer, encoded_key_size_bytes,
                                           at, at, encoded_key_size_bytes};
  ZENITH_TRY_ASSIGN(auto out,
                    block_file_writer::create(files, name, description, compression_level, sizes));
  return image_writer(std::move(out));
}

result<void> image_writer::add(const key& k, byte_view value) { return out_.add(encode(k), value); }

result<std::shared_ptr<const image_layer>> image_layer::open(file_system& files, const path& name,
                                                             size_t cache_bytes) {
  auto cache = std::make_unique<block_cache>(cache_bytes);
  ZENITH_TRY_ASSIGN(
      auto reader,
      block_file_reader::open(files, name, block_file_content::image_layer, encoded_key_size_bytes,
                              *cache, block_file_reader::new_cache_file()));
  return std::shared_ptr<const image_layer>(new image_layer(std::move(cache), std::move(reader)));
}

result<std::shared_ptr<const image_layer>> image_layer::open(file_system& files, const path& name,
                                                             block_cache& cache,
                                                             uint64_t cache_file) {
  ZENITH_TRY_ASSIGN(auto reader,
                    block_file_reader::open(files, name, block_file_content::image_layer,
                                            encoded_key_size_bytes, cache, cache_file));
  return std::shared_ptr<const image_layer>(new image_layer(nullptr, std::move(reader)));
}

result<void> image_layer::collect(const key& k, lsn after, lsn until, key_history& history) const {
  if (at() <= after || at() > until) return {};
  const encoded_key wanted = encode(k);
  block_file_cursor found(*reader_);
  ZENITH_TRY_ASSIGN(const bool is_there, found.seek_same(wanted, wanted.size()));
  if (!is_there) return {};
  history.end_with_value(at(), found.value());
  history.keeps.push_back(found.data());
  return {};
}

result<void> image_layer::list(const key& first, const key& last, lsn until,
                               const std::function<void(const key&)>& each) const {
  if (at() > until) return {};
  block_file_cursor at(*reader_);
  return for_listed_keys(first, last, [&](const key& from, const key& to) -> result<void> {
    const encoded_key end = encode(to);
    ZENITH_TRY(at.seek(encode(from)));
    while (!at.at_end() && compare(at.key(), end) <= 0) {
      const auto k = decode_key(at.key());
      if (!k) return reader_->damaged(at.offset(), k.error().message);
      each(*k);
      ZENITH_TRY(at.next());
    }
    return {};
  });
}

namespace {

class image_cursor final : public version_cursor {
 public:
  image_cursor(std::shared_ptr<const image_layer> from, const key& first, const key& last)
      : from_(std::move(from)),
        at_(from_->file(), block_file_cursor::reads::streaming),
        first_(encode(first)),
        last_(encode(last)) {}

  result<bool> next(version_entry& into) override {
    if (!started_) {
      ZENITH_TRY(at_.seek(first_));
      started_ = true;
    } else {
      if (at_.at_end()) return false;
      ZENITH_TRY(at_.next());
    }
    if (at_.at_end() || compare(at_.key(), last_) > 0) return false;
    const auto k = decode_key(at_.key());
    if (!k) return from_->file().damaged(at_.offset(), k.error().message);
    into = {};
    into.k = *k;
    into.at = from_->at();
    into.kind = version_kind::value;
    into.data = at_.value();
    return true;
  }

 private:
  std::shared_ptr<const image_layer> from_;
  block_file_cursor at_;
  encoded_key first_;
  encoded_key last_;
  bool started_ = false;
};

class nothing_cursor final : public version_cursor {
 public:
  result<bool> next(version_entry&) override { return false; }
};

}  // namespace

std::unique_ptr<version_cursor> image_layer::cursor(const key& first, const key& last,
                                                    lsn until) const {
  if (at() > until) return std::make_unique<nothing_cursor>();
  return std::make_unique<image_cursor>(shared_from_this(), first, last);
}

result<void> image_layer::verify() const {
  block_file_cursor at(*reader_, block_file_cursor::reads::streaming);
  ZENITH_TRY(at.seek(encode(key{})));
  while (!at.at_end()) ZENITH_TRY(at.next());
  return {};
}

}  // namespace zenith::layers
