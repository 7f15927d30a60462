// Levels, and their layers made once.
#include "storage/layers/layer_level.hpp"

#include <mutex>
#include <span>

#include "storage/layers/sorted_run.hpp"

namespace zenith::layers {

struct layer_level::shared {
  explicit shared(std::vector<layer_slice> all) : slices(std::move(all)) {}

  const std::vector<layer_slice> slices;
  mutable std::once_flag once;
  mutable std::vector<layer_reference> layers;
};

layer_level::layer_level(std::vector<layer_slice> slices) {
  if (!slices.empty()) shared_ = std::make_shared<const shared>(std::move(slices));
}

const std::vector<layer_slice>& layer_level::slices() const {
  static const std::vector<layer_slice> none;
  return shared_ ? shared_->slices : none;
}

const std::vector<layer_reference>& layer_level::layers(layer_files& files, form how) const {
  static const std::vector<layer_reference> none;
  if (!shared_) return none;
  std::call_once(shared_->once, [&] {
    const std::span<const layer_slice> all(shared_->slices);
    const size_t step = how == form::each ? 1 : all.size();
    for (size_t i = 0; i < all.size(); i += step)
      shared_->layers.push_back(sorted_run::make(all.subspan(i, step), files));
  });
  return shared_->layers;
}

}  // namespace zenith::layers
