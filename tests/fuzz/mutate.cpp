// mutate: changes of a part of an input.
#include "tests/fuzz/mutate.hpp"

#include "tests/fuzz/input.hpp"

// libFuzzer's own mutations (FuzzerInterface.h).
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace zenith::fuzz {

void mutate_bytes(bytes& data, size_t growth_bytes) {
  const size_t before = data.size();
  const size_t most = before + std::max<size_t>(growth_bytes, 1);
  data.resize(most);
  data.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(data.data()), before, most));
}

void mutate_in_place(byte_span data) {
  if (data.empty()) return;
  bytes changed(data.begin(), data.end());
  changed.resize(
      LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(changed.data()), data.size(), data.size()));
  std::ranges::copy(changed, data.begin());
}

void mutate_offset(random_source& random, byte_span data) {
  if (data.size() < 2) return;
  std::byte* const at = data.data() + below(random, data.size() - 1);
  const auto there = load<uint16_t>(at);
  const uint16_t choices[] = {0,
                              1,
                              2,
                              24,
                              8,
                              0x7FFF,
                              0x8000,
                              0xFFFF,
                              static_cast<uint16_t>(page_size_bytes),
                              static_cast<uint16_t>(page_size_bytes - 1),
                              static_cast<uint16_t>(page_size_bytes + 1),
                              static_cast<uint16_t>(there + 1),
                              static_cast<uint16_t>(there - 1),
                              static_cast<uint16_t>(there + 8),
                              static_cast<uint16_t>(there - 8),
                              static_cast<uint16_t>(~there),
                              static_cast<uint16_t>(there << 1),
                              static_cast<uint16_t>(random() % (page_size_bytes + 2))};
  store(at, choices[below(random, std::size(choices))]);
}

}  // namespace zenith::fuzz
