// The refusal of a history that is too long.
#include "storage/layers/key_history.hpp"

#include <fmt/format.h>

namespace zenith::layers {

result<void> key_history::too_long() const {
  return fail(errc::limit,
              fmt::format("more than {} records or {} bytes of them follow each other, back from "
                          "{}; the oldest looked at begins at {}",
                          records_max, record_bytes_max, to_string(newest),
                          to_string(records.empty() ? newest : records.back().start)));
}

}  // namespace zenith::layers
