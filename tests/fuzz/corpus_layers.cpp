// corpus_layers: small layer files of both kinds and versions, as their parts and as they are.
#include <stdexcept>

#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"
#include "tests/fuzz/corpus.hpp"
#include "tests/fuzz/layer_case.hpp"
#include "tests/support/golden_layers.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::fuzz {
namespace {

using namespace zenith::layers;

constexpr block_file_sizes small{300, 150};

template <class T>
T value_of(result<T> got) {
  if (!got) throw std::runtime_error(got.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*got);
}

bytes contents_of(file_system& files, const path& name) {
  const auto file = value_of(files.open(name, open_mode::read));
  bytes all(value_of(file->size_bytes()));
  value_of(file->read(0, all));
  return all;
}

/// The smaller ones of the golden versions, a few of each key.
bytes small_delta(file_system& files) {
  auto out = value_of(delta_writer::create(files, "/delta", testing::golden_delta_name,
                                           testing::golden_after, testing::golden_last, 1, small));
  key last;
  size_t versions = 0;
  testing::for_each_entry(testing::golden_versions(), [&](const version_entry& entry) {
    versions = entry.k == last ? versions + 1 : 0;
    last = entry.k;
    if (entry.data.size() < 200 && versions < 8 && (entry.k.d < 130 || entry.k.d > 1000))
      value_of(out.add(entry));
  });
  value_of(out.finish());
  return contents_of(files, "/delta");
}

bytes small_image(file_system& files, const path& name, uint32_t filter_key_bytes,
                  const block_file_sizes& sizes) {
  auto out = value_of(
      block_file_writer::create(files, name,
                                {block_file_content::image_layer, encoded_key_size_bytes,
                                 testing::golden_last, testing::golden_last, filter_key_bytes},
                                1, sizes));
  for (const auto& [k, data] : testing::golden_image())
    if (data.size() < 205) value_of(out.add(encode(k), data));
  value_of(out.finish());
  return contents_of(files, name);
}

bytes with_front(uint8_t front, byte_view rest) {
  input_writer out;
  out.put(front);
  out.put_bytes(rest);
  return out.take();
}

}  // namespace

void add_layer_files(corpus& into) {
  testing::memory_file_system files;
  const bytes delta = small_delta(files);
  const bytes image = small_image(files, "/image", encoded_key_size_bytes, small);
  // Without filters and levels it is version 1, but for the number.
  bytes first = small_image(files, "/first", 0, {1000, 1 << 20});
  store(first.data() + 8, uint32_t{1});
  store(first.data() + 4, crc32c(byte_view(first).subspan(8, 56)));
  into.add("stored", "layer-delta", with_front(7, layer_case_of(delta)));
  into.add("stored", "layer-image", with_front(7, layer_case_of(image)));
  into.add("stored", "layer-image-1", with_front(7, layer_case_of(first)));
  into.add("stored", "layer-delta-whole", with_front(0x87, delta));
  into.add("stored", "layer-image-whole", with_front(0x87, image));
}

}  // namespace zenith::fuzz
