// timeline_case: a few records that follow each other, as a fuzzer's input.
#pragma once

#include "tests/fuzz/record_case.hpp"

namespace zenith::fuzz {

/// Encoded: records, up to the input's end.
struct timeline_case {
  static constexpr size_t records_max = 24;

  std::vector<record_case> records;

  static timeline_case read(byte_view input) {
    timeline_case c;
    for (input_reader in(input); !in.empty() && c.records.size() < records_max;)
      c.records.push_back(record_case::read(in));
    return c;
  }
  bytes write() const {
    input_writer out;
    for (const auto& record : records) record.write(out);
    return out.take();
  }
};

}  // namespace zenith::fuzz
