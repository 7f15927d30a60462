// collected: what can go of a file, told without reading it.
#pragma once

#include "storage/layers/layer_file.hpp"
#include "storage/layers/retention.hpp"

namespace zenith::layers {

/// Which part of a slice's bytes, from 0 to 1, a merge of it alone may leave out, about. What an
/// earlier merge kept under this retention, or one that kept less, is not counted again.
double collectable(const layer_slice& slice, const retention& keep);

}  // namespace zenith::layers
