// Btree redo of the page that a split leaves on the left (nbtxlog.c, btree_xlog_split).
#include <fmt/format.h>

#include <cstring>

#include "storage/redo/btree_parts.hpp"
#include "storage/redo/record_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/nbtree.h>
#include <access/nbtxlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo::btree {
namespace {

/// What the record tells about the left page besides the places at which it is cut.
struct left_data {
  byte_view new_tuple;      ///< empty where the new tuple is on the right and no list was split
  byte_view split_posting;  ///< what replaces the tuple before the new one; empty: nothing
  byte_view high_key;
};

/// Reads the left page's data. Tuples that the split of a posting list changes are made in the
/// buffers given.
result<left_data> read_left_data(const xl_btree_split& split, bool new_on_left, byte_view data,
                                 const page& before, tuple_buffer& new_copy,
                                 tuple_buffer& posting_copy) {
  left_data read;
  record_reader reader(data);
  if (new_on_left || split.postingoff != 0) {
    ZENITH_TRY_ASSIGN(const auto tuple, front_index_tuple(reader.rest()));
    ZENITH_TRY_ASSIGN(read.new_tuple, reader.take(maxalign(tuple.size())));
  }
  if (split.postingoff != 0) {
    const auto number = static_cast<pg::offset_number>(split.newitemoff - 1);
    ZENITH_TRY_ASSIGN(const auto item, pg::item_at(before, number));
    ZENITH_TRY_ASSIGN(const auto old, front_index_tuple(item));
    byte_span fresh{new_copy.data.data(), read.new_tuple.size()};
    byte_span posting{posting_copy.data.data(), old.size()};
    std::memcpy(fresh.data(), read.new_tuple.data(), fresh.size());
    std::memcpy(posting.data(), old.data(), posting.size());
    ZENITH_TRY(swap_posting(fresh, posting, split.postingoff));
    read.new_tuple = fresh;
    read.split_posting = posting;
  }
  ZENITH_TRY_ASSIGN(const auto tuple, front_index_tuple(reader.rest()));
  ZENITH_TRY_ASSIGN(read.high_key, reader.take(maxalign(tuple.size())));
  if (!reader.rest().empty())
    return fail(errc::corrupt,
                fmt::format("{} bytes follow the left page's high key", reader.rest().size()));
  return read;
}

/// Adds items behind each other.
class appender {
 public:
  explicit appender(page& to) : to_(to) {}
  result<void> add(byte_view item) {
    ZENITH_TRY(pg::page_add_item(to_, item, ++last_, pg::add_item_mode::insert, false));
    return {};
  }

 private:
  page& to_;
  pg::offset_number last_ = 0;
};

/// The items of the left page, in the order in which PostgreSQL adds them: the physical order
/// decides where each one lies.
result<void> fill_left(const xl_btree_split& split, bool new_on_left, const left_data& data,
                       const page& before, pg::offset_number first, page& left) {
  appender out(left);
  ZENITH_TRY(out.add(data.high_key));
  const unsigned end = split.firstrightoff;
  unsigned number = first;
  for (; number < end; ++number) {
    if (!data.split_posting.empty() && number + 1 == split.newitemoff) {
      ZENITH_TRY(out.add(data.split_posting));
      continue;
    }
    if (new_on_left && number == split.newitemoff) ZENITH_TRY(out.add(data.new_tuple));
    ZENITH_TRY_ASSIGN(const auto item, pg::item_at(before, static_cast<pg::offset_number>(number)));
    ZENITH_TRY(out.add(item));
  }
  if (new_on_left && number == split.newitemoff) ZENITH_TRY(out.add(data.new_tuple));
  return {};
}

}  // namespace

result<void> split_left(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto split, read_main<xl_btree_split>(record, SizeOfBtreeSplit));
  const auto* right = record.block(1);
  if (right == nullptr) return fail(errc::corrupt, "a split names no right page");
  ZENITH_TRY_ASSIGN(auto* old_links, links_of(p));
  auto links = *old_links;
  const bool new_on_left = record.opcode() == XLOG_BTREE_SPLIT_L;

  tuple_buffer new_copy;
  tuple_buffer posting_copy;
  ZENITH_TRY_ASSIGN(const auto data,
                    read_left_data(split, new_on_left, reference.data, p, new_copy, posting_copy));
  const pg::offset_number first_data = links.next == P_NONE ? P_HIKEY : P_FIRSTKEY;
  links.flags = BTP_INCOMPLETE_SPLIT | (split.level == 0 ? BTP_LEAF : 0);
  links.next = right->block;
  links.cycle_id = 0;
  page left;
  init_page(left, links);
  ZENITH_TRY(fill_left(split, new_on_left, data, p, first_data, left));
  p = left;
  return {};
}

}  // namespace zenith::redo::btree
