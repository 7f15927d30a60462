// redo_case: pages without their zeros, and cases read and written.
#include "tests/fuzz/redo_case.hpp"

namespace zenith::fuzz {
namespace {

constexpr uint8_t slru_mark = 0x80, unnamed_mark = 0x90;
// So many zeros are worth a piece of their own.
constexpr size_t zeros_min = 8;

size_t zeros_from(const page& p, size_t at) {
  size_t end = at;
  while (end < page_size_bytes && p.data[end] == std::byte{0}) ++end;
  return end - at;
}

}  // namespace

void write_page(input_writer& out, const page& p) {
  for (size_t at = 0; at < page_size_bytes;) {
    const size_t zeros = zeros_from(p, at);
    const size_t begin = at + zeros;
    size_t end = begin;
    while (end < page_size_bytes) {
      const size_t gap = zeros_from(p, end);
      if (gap >= zeros_min || end + gap == page_size_bytes) break;
      end += gap + 1;
    }
    if (begin == page_size_bytes) return;
    out.put(static_cast<uint16_t>(zeros));
    out.put(static_cast<uint16_t>(end - begin));
    out.put_bytes(p.view().subspan(begin, end - begin));
    at = end;
  }
}

page read_page(input_reader& in) {
  page p;
  for (size_t at = 0; !in.empty() && at < page_size_bytes;) {
    at = std::min<size_t>(at + in.take<uint16_t>(), page_size_bytes);
    const byte_view piece =
        in.take_bytes(std::min<size_t>(in.take<uint16_t>(), page_size_bytes - at));
    std::ranges::copy(piece, p.begin() + at);
    at += piece.size();
  }
  return p;
}

redo_case redo_case::read(byte_view input) {
  redo_case c;
  input_reader in(input);
  const auto which = in.take<uint8_t>();
  if (which >= unnamed_mark) {
    const auto fork = static_cast<fork_number>(in.take<uint8_t>() % all_forks.size());
    const auto relation = in.take<relation_id>();
    c.by_reference = false;
    c.target = key::block(relation, fork, in.take<uint32_t>());
  } else if (which >= slru_mark) {
    c.by_reference = false;
    c.target = key::slru(all_slrus[which % all_slrus.size()], in.take<uint32_t>());
  } else {
    c.reference = which;
  }
  c.record = record_case::read(in);
  c.before = read_page(in);
  return c;
}

bytes redo_case::write() const {
  input_writer out;
  if (by_reference) {
    out.put(reference);
  } else if (target.kind == key_kind::slru_page) {
    out.put(static_cast<uint8_t>(slru_mark + target.fork));
    out.put(target.d);
  } else {
    out.put(unnamed_mark);
    out.put(target.fork);
    out.put(target.relation());
    out.put(target.d);
  }
  record.write(out);
  write_page(out, before);
  return out.take();
}

key redo_case::page_key() const {
  if (!by_reference) return target;
  if (record.blocks.empty()) return key::block({}, fork_number::main, 0);
  const auto& b = record.blocks[reference % record.blocks.size()];
  return key::block(b.relation, b.fork, b.number);
}

}  // namespace zenith::fuzz
