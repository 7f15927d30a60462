// redo_case: a record and one page that it is applied to, as a fuzzer's input.
#pragma once

#include "storage/base/bytes.hpp"
#include "tests/fuzz/record_case.hpp"

namespace zenith::fuzz {

/// A page without its zeros: pieces of u16 zeros, u16 length, bytes, up to the input's end. What
/// is not said is zeros.
void write_page(input_writer& out, const page& p);
page read_page(input_reader& in);

/// Encoded: u8 and what follows it say which page; then the record; then the page.
///    below 0x80       that block reference of the record, modulo their count
///    0x80 + an SLRU   u32: that page of it
///    from 0x90 on     u8 fork, three u32 of the relation, u32 block: one that the record does not
///                     name
struct redo_case {
  key target;
  uint8_t reference = 0;  ///< which block reference
  bool by_reference = true;
  record_case record;
  page before;

  static redo_case read(byte_view input);
  bytes write() const;

  /// The page's key: in a record without blocks, one that it does not name.
  key page_key() const;
  /// Changes the record or the page.
  void mutate(random_source& random);
};

}  // namespace zenith::fuzz
