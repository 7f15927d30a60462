// A tree of timelines made by chance, in layers of memory and of files, beside what it has to be.
#pragma once

#include <map>
#include <random>

#include "storage/layers/layer_writes.hpp"
#include "tests/storage/layers/view_fixture.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::layers {

/// Versions of a table and of a copy of it: images, changes, truncations, growth, drops.
class branching_history {
 public:
  static constexpr lsn beginning{1000};
  static constexpr block_number blocks_max = 6;

  /// What a block is: zeros, or one letter with another at an offset.
  struct content {
    char base = 0;
    char letter = 0;
    lsn at;
  };
  using fork_contents = std::optional<std::vector<content>>;
  /// What there is from an LSN on: the table, and the other relation.
  struct state {
    lsn at;
    fork_contents forks[2];
    relation_state sizes[2];
  };

  /// For a child, everything of the parent up to `at` has to be there already.
  branching_history(unsigned seed, const branching_history* parent, lsn at)
      : random_(seed), parent_(parent), start_(at), now_(at), layer_(begin_layer()) {
    if (parent == nullptr) {
      states_.push_back({at, {}, {}});
      histories_ = root_histories();
    } else {
      for (const state& one : parent->states_)
        if (one.at <= at) states_.push_back(one);
      histories_ = child_histories(parent->histories_, at);
    }
  }

  lsn now() const { return now_; }
  const std::vector<state>& states() const { return states_; }
  const state& state_at(lsn at) const {
    return *std::prev(std::upper_bound(states_.begin(), states_.end(), at,
                                       [](lsn a, const state& b) { return a < b.at; }));
  }
  static relation_id relation(size_t which) {
    return which == 0 ? table : relation_id{1663, 6, 16384};
  }

  /// One record's versions, published.
  void step() {
    const lsn start = now_;
    now_ = now_ + 64;
    state next = states_.back();
    next.at = now_;
    const size_t which = random_() % 3 == 0;
    if (!next.forks[which])
      create(next, which, start);
    else
      change(next, which, start);
    layer_->publish(now_);
    states_.push_back(std::move(next));
  }

  /// What comes from now on is in another layer.
  void begin_new_layer() {
    if (now_ == layer_->start()) return;
    parts_.push_back({layer_, {}, layer_->start(), now_});
    layer_ = begin_layer();
  }
  /// The oldest layer that is in memory only goes to a file.
  void write_one(const layer_output& out) {
    for (part& one : parts_) {
      if (!one.memory) continue;
      const auto written = write_frozen_layer(*one.memory, out, {});
      ASSERT_TRUE(written) << written.error().message;
      for (const layer_file_info& info : written->files)
        one.files.push_back({out.files->find(info), info.last, info.after});
      one.memory = nullptr;
      return;
    }
  }

  std::vector<layer_reference> layers(lsn until) const {
    std::vector<layer_reference> all;
    const auto add = [&](const layer_reference& one) {
      if (one.after < until) all.push_back({one.data, std::min(one.until, until), one.after});
    };
    add({layer_, until, layer_->start()});
    for (auto one = parts_.rbegin(); one != parts_.rend(); ++one) {
      if (one->memory) add({one->memory, one->end, one->start});
      for (const layer_reference& file : one->files) add(file);
    }
    if (parent_ != nullptr)
      for (const layer_reference& one : parent_->layers(std::min(start_, until))) add(one);
    return all;
  }
  view seen(std::shared_ptr<page_cache> cache, lsn until) const {
    return view(layers(until), beginning, until, {std::move(cache), histories_});
  }

  /// Compares a block, and its fork's size, with what they have to be.
  void expect_right(const view& v, size_t which, block_number block, lsn at) const {
    const fork_contents& fork = state_at(at).forks[which];
    page found = page_of('!');
    const auto size = v.relation(relation(which), fork_number::main, at);
    ASSERT_TRUE(size) << size.error().message;
    ASSERT_EQ(size->has_value(), fork.has_value()) << to_string(at);
    const auto read = v.read_page(relation(which), fork_number::main, block, at, found);
    if (!fork || block >= fork->size()) {
      if (fork) ASSERT_EQ((*size)->blocks(), fork->size());
      ASSERT_FALSE(read);
      ASSERT_EQ(read.error().code, fork ? errc::out_of_range : errc::not_found);
      return;
    }
    ASSERT_EQ((*size)->blocks(), fork->size());
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(found.data, page_with((*fork)[block]).data)
        << "relation " << which << " block " << block << " at " << to_string(at);
  }

 private:
  struct part {
    std::shared_ptr<memory_layer> memory;  // until it is in files
    std::vector<layer_reference> files;
    lsn start;
    lsn end;
  };

  std::shared_ptr<memory_layer> begin_layer() const { return std::make_shared<memory_layer>(now_); }
  char letter() { return static_cast<char>('a' + random_() % 26); }
  static page page_with(const content& what) {
    if (what.base == 0) return page{};
    page p = page_of(what.base);
    p.data[5000] = static_cast<std::byte>(what.letter);
    pg::set_page_lsn(p, what.at);
    return p;
  }

  void put_size(state& next, size_t which) {
    layer_->put_value(key::size(relation(which), fork_number::main), now_,
                      next.sizes[which].encode());
  }
  void create(state& next, size_t which, lsn start) {
    next.sizes[which] = relation_state::created(start);
    const size_t source = 1 - which;
    if (next.forks[source] && random_() % 2 == 0) {
      // As a database is copied (redo/database.cpp).
      next.forks[which] = next.forks[source];
      layer_->put_copy(key::all_blocks(relation(which), fork_number::main), now_,
                       key::all_blocks(relation(source), fork_number::main), start);
    } else {
      next.forks[which].emplace(1 + random_() % blocks_max);
    }
    next.sizes[which].extend(static_cast<block_number>(next.forks[which]->size()));
    put_size(next, which);
  }
  void change(state& next, size_t which, lsn start) {
    auto& blocks = *next.forks[which];
    const unsigned what = random_() % 100;
    const auto block = static_cast<block_number>(random_() % blocks_max);
    if (what < 3) {
      layer_->put_absent(key::size(relation(which), fork_number::main), now_);
      next.forks[which].reset();
    } else if (what < 10) {
      if (block >= blocks.size()) return;
      blocks.resize(block);
      next.sizes[which].truncate(block, now_);
      put_size(next, which);
    } else {
      if (block >= blocks.size()) {
        blocks.resize(block + 1);
        next.sizes[which].extend(block + 1);
        put_size(next, which);
      }
      write(blocks[block], which, block, start);
    }
  }
  void write(content& into, size_t which, block_number block, lsn start) {
    const char by = letter();
    const bool is_image = into.base == 0 || random_() % 8 == 0;
    const bytes record = is_image ? image_record(block, by, relation(which))
                                  : letter_record(block, 5000, by, relation(which));
    into.letter = by;
    into.at = now_;
    if (is_image) into.base = by;
    layer_->put_record(key::block(relation(which), fork_number::main, block), now_,
                       layer_->add_record(start, record),
                       is_image ? record_effect::initialises : record_effect::changes);
  }

  std::mt19937 random_;
  const branching_history* parent_;
  lsn start_;
  lsn now_;
  std::shared_ptr<memory_layer> layer_;
  std::vector<part> parts_;    // oldest first
  std::vector<state> states_;  // oldest first
  history_list histories_;
};

}  // namespace zenith::layers
