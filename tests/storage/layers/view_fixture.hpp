// A memory layer of one table, made by hand, and a view of it.
#pragma once

#include <gtest/gtest.h>

#include "storage/layers/memory_layer.hpp"
#include "storage/layers/view.hpp"
#include "storage/postgres/page_items.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::layers {

using redo::record_effect;
using zenith::testing::record_builder;

const relation_id table{1663, 5, 16384};
const key size_key = key::size(table, fork_number::main);

inline key block_key(block_number block) { return key::block(table, fork_number::main, block); }

/// A page whose contents, past its header, are one letter.
inline page page_of(char letter) {
  page p;
  p.data.fill(static_cast<std::byte>(letter));
  store(p.begin() + 12, uint16_t{24});    // pd_lower
  store(p.begin() + 14, uint16_t{24});    // pd_upper: nothing is free
  store(p.begin() + 16, uint16_t{8192});  // pd_special
  pg::set_page_lsn(p, lsn{});
  return p;
}

/// A record with a whole page.
inline bytes image_record(block_number block, char letter, const relation_id& of = table) {
  const page p = page_of(letter);
  record_builder builder(pg::resource_manager::xlog, 0xB0);
  builder.add({.relation = of,
               .number = block,
               .full_page = record_builder::image{bytes(p.data.begin(), p.data.end()), 0, 0,
                                                  zenith::testing::image_apply}});
  return builder.finish();
}

/// A Generic record that writes one letter at an offset of a page (generic_xlog.c, applyPageRedo).
inline bytes letter_record(block_number block, uint16_t offset, char letter,
                           const relation_id& of = table) {
  bytes delta(5);
  store(delta.data(), offset);
  store(delta.data() + 2, uint16_t{1});
  delta[4] = static_cast<std::byte>(letter);
  return record_builder(pg::resource_manager::generic, 0)
      .add({.relation = of, .number = block, .data = delta})
      .finish();
}

inline bytes unknown_record(block_number block) {
  return record_builder(pg::resource_manager{128}, 0x20)
      .add({.relation = table, .number = block, .data = bytes(4)})
      .finish();
}

class view_test : public ::testing::Test {
 protected:
  view_test() { extend(10); }

  lsn put(const key& k, const bytes& record, record_effect effect = record_effect::changes) {
    return put_into(*layer_, k, record, effect);
  }
  lsn put_into(memory_layer& layer, const key& k, const bytes& record, record_effect effect) {
    const lsn start = now_;
    now_ = now_ + 64;
    layer.put_record(k, now_, layer.add_record(start, record), effect);
    return now_;
  }
  lsn put_image(block_number block, char letter) {
    return put(block_key(block), image_record(block, letter), record_effect::initialises);
  }
  lsn put_letter(block_number block, char letter) {
    return put(block_key(block), letter_record(block, 5000, letter));
  }
  lsn put_size() {
    now_ = now_ + 64;
    layer_->put_value(size_key, now_, state_.encode());
    return now_;
  }
  lsn extend(block_number blocks) {
    state_.extend(blocks);
    return put_size();
  }
  lsn truncate(block_number kept) {
    state_.truncate(kept, now_ + 64);
    return put_size();
  }

  view seen(std::shared_ptr<page_cache> cache = nullptr) {
    return view({{layer_, now_}}, lsn{1000}, now_, std::move(cache));
  }
  page read(const view& from, block_number block, lsn at) {
    page p = page_of('!');
    const auto done = from.read_page(table, fork_number::main, block, at, p);
    EXPECT_TRUE(done) << done.error().message;
    return p;
  }
  /// The letters at offset 5000, where records write, and elsewhere.
  std::string letters(const page& p) {
    return {static_cast<char>(p.data[5000]), static_cast<char>(p.data[6000])};
  }

  lsn now_{1000};
  std::shared_ptr<memory_layer> layer_ = std::make_shared<memory_layer>(lsn{1000});
  relation_state state_ = relation_state::of_base(0);
};

}  // namespace zenith::layers
