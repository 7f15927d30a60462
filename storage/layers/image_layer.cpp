// Keys and values of an image layer over the block file that holds them.
#include "storage/layers/image_layer.hpp"

#include "storage/layers/block_file_format.hpp"

namespace zenith::layers {

result<image_writer> image_writer::create(file_system& files, const path& name, lsn at,
                                          int compression_level) {
  ZENITH_TRY_ASSIGN(
      auto out, block_file_writer::create(
                    files, name, {block_file_content::image_layer, encoded_key_size_bytes, at, at},
                    compression_level));
  return image_writer(std::move(out));
}

result<void> image_writer::add(const key& k, byte_view value) { return out_.add(encode(k), value); }

result<std::shared_ptr<const image_layer>> image_layer::open(file_system& files, const path& name,
                                                             size_t cache_bytes) {
  ZENITH_TRY_ASSIGN(auto reader,
                    block_file_reader::open(files, name, block_file_content::image_layer,
                                            encoded_key_size_bytes, cache_bytes));
  return std::shared_ptr<const image_layer>(new image_layer(std::move(reader)));
}

result<void> image_layer::collect(const key& k, lsn after, lsn until, key_history& history) const {
  if (at() <= after || at() > until) return {};
  const encoded_key wanted = encode(k);
  const uint32_t number = reader_->block_of(wanted);
  if (number == reader_->blocks()) return {};
  ZENITH_TRY_ASSIGN(const block_ptr b, reader_->load(number));
  const uint32_t i = b->lower_bound(wanted);
  if (i == b->size() || compare(b->key(i), wanted) != 0) return {};
  const byte_view value = b->value(i);
  history.value.assign(value.begin(), value.end());
  history.state = key_history::state_kind::value;
  return {};
}

result<void> image_layer::list(const key& first, const key& last, lsn until,
                               const std::function<void(const key&)>& each) const {
  if (at() > until || first > last) return {};
  result<void> outcome;
  const auto scan = [&](const key& from, const key& to) -> result<void> {
    if (from > to) return {};
    ZENITH_TRY(reader_->scan(encode(from), encode(to), [&](byte_view found, byte_view) {
      const auto k = decode_key(found);
      if (k)
        each(*k);
      else
        outcome = tl::unexpected(k.error());
      return outcome.has_value();
    }));
    return outcome;
  };
  // Blocks of relations are by far the most entries, and are not listed.
  const key blocks_begin{key_kind::relation_block};
  const key before_blocks{
      key_kind::relation_size, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT8_MAX, UINT32_MAX};
  const key after_blocks{key_kind::configuration_file};
  if (first < blocks_begin) ZENITH_TRY(scan(first, std::min(last, before_blocks)));
  if (last >= after_blocks) ZENITH_TRY(scan(std::max(first, after_blocks), last));
  return {};
}

result<void> image_layer::verify() const {
  for (uint32_t i = 0; i < reader_->blocks(); ++i) ZENITH_TRY(reader_->load(i));
  return {};
}

}  // namespace zenith::layers
