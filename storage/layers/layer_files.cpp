// The layer files of a repository: by name, for merges, and which of them are in use.
#include "storage/layers/layer_files.hpp"

#include "storage/layers/delta_key.hpp"
#include "storage/layers/stored_layer.hpp"

namespace zenith::layers {
namespace {

/// A file's cursor that keeps the file's name in use.
class held_cursor final : public version_cursor {
 public:
  held_cursor(std::shared_ptr<const stored_layer> layer, std::unique_ptr<version_cursor> of)
      : layer_(std::move(layer)), of_(std::move(of)) {}
  result<bool> next(version_entry& into) override { return of_->next(into); }

 private:
  std::shared_ptr<const stored_layer> layer_;
  std::unique_ptr<version_cursor> of_;
};

/// The first and the last key that entries of a layer key can have in a file.
bytes first_stored(const layer_name& name, const key& k) {
  const encoded_key encoded = encode(k);
  bytes stored(encoded.begin(), encoded.end());
  if (name.kind == layer_kind::delta) stored.resize(delta_key_size_bytes, std::byte{0});
  return stored;
}
bytes last_stored(const layer_name& name, const key& k) {
  const encoded_key encoded = encode(k);
  bytes stored(encoded.begin(), encoded.end());
  if (name.kind == layer_kind::delta) stored.resize(delta_key_size_bytes, std::byte{0xFF});
  return stored;
}

}  // namespace

struct layer_files::state {
  explicit state(size_t open_files_max)
      : open(std::make_shared<class open_files>(open_files_max)) {}
  const std::shared_ptr<class open_files> open;
  const std::shared_ptr<held_names> names = std::make_shared<held_names>();
};

layer_files::layer_files(file_system& files, path timelines, const limits& bounds)
    : files_(files),
      timelines_(std::move(timelines)),
      cache_(bounds.block_cache_bytes),
      state_(std::make_unique<state>(bounds.open_files_max)) {}

layer_files::~layer_files() = default;

path layer_files::path_of(const layer_name& name) const {
  return timelines_ / to_string(name.timeline) / "layers" / file_name_of(name);
}

std::shared_ptr<const stored_layer> layer_files::stored(const layer_file_info& info) {
  return state_->names->find(
      info.name, [&] { return new stored_layer(*this, state_->open, state_->names, info); });
}

std::shared_ptr<const layer> layer_files::find(const layer_file_info& info) { return stored(info); }

result<std::unique_ptr<version_cursor>> layer_files::cursor(const layer_file_info& info,
                                                            const key& first, const key& last,
                                                            lsn until) {
  auto layer = stored(info);
  ZENITH_TRY_ASSIGN(const auto file, layer->opened());
  return std::make_unique<held_cursor>(std::move(layer), file->cursor(first, last, until));
}

result<std::vector<key>> layer_files::split(const layer_file_info& info, const key& first,
                                            const key& last, uint64_t piece_bytes) {
  const auto layer = stored(info);
  ZENITH_TRY_ASSIGN(const auto file, layer->opened());
  std::vector<key> pieces;
  uint64_t piece = 0;
  result<void> outcome;
  const auto each = [&](const block_file_reader::block_visit& block) {
    if (block.height != 0) return true;
    if (piece >= piece_bytes) {
      const auto k = decode_key(block.first_key.first(encoded_key_size_bytes));
      if (!k) {
        outcome = file->file().damaged(block.place.offset, k.error().message);
        return false;
      }
      // The versions of one key stay together.
      if (*k > first && (pieces.empty() || *k > pieces.back())) {
        pieces.push_back(*k);
        piece = 0;
      }
    }
    piece += block.place.size_bytes;
    return true;
  };
  ZENITH_TRY(
      file->file().visit(first_stored(info.name, first), last_stored(info.name, last), each));
  ZENITH_TRY(outcome);
  return pieces;
}

size_t layer_files::open_files() const { return state_->open->size(); }

void layer_files::begin_sweep() { state_->names->begin_sweep(); }

std::set<layer_name> layer_files::end_sweep() { return state_->names->end_sweep(); }

}  // namespace zenith::layers
