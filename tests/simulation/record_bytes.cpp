// Records as bytes, and as layers take them.
#include <algorithm>

#include "tests/simulation/made_wal.hpp"
#include "tests/support/record_builder.hpp"

namespace zenith::simulation {
namespace {

using what = change::kind;
using testing::record_builder;

}  // namespace

bytes record_of(const step_of_wal& step) {
  const auto is_record = [](const change& c) { return c.is_record(); };
  const auto first = std::ranges::find_if(step.changes, is_record);
  if (first == step.changes.end())
    return record_builder(pg::resource_manager::xlog, 0x20).main_data(bytes(8)).finish();
  if (first->what == what::commit) {
    bytes time(8);
    store(time.data(), step.time_us.value_or(0));
    return record_builder(pg::resource_manager::transaction, 0, first->number)
        .main_data(time)
        .finish();
  }
  if (first->what == what::zero_page) {
    bytes number(4);
    store(number.data(), first->k.d);
    return record_builder(pg::resource_manager::clog, 0).main_data(number).finish();
  }
  const auto has = [&](what kind) {
    return std::ranges::any_of(step.changes, [&](const change& c) { return c.what == kind; });
  };
  const bool clears = has(what::clear);
  record_builder out = has(what::unredoable) ? record_builder(pg::resource_manager{128}, 0x20)
                       : clears              ? record_builder(pg::resource_manager::heap, 0x10)
                       : has(what::letter)   ? record_builder(pg::resource_manager::generic, 0)
                                             : record_builder(pg::resource_manager::xlog, 0xB0);
  uint8_t id = 0;
  for (const change& c : step.changes) {
    if (!c.is_record() || c.k.is_all_blocks()) continue;
    // The block whose bits are cleared is named in place of the map's.
    if (c.what == what::clear && step.changes.front().what == what::image) continue;
    record_builder::block b{.id = id++, .relation = c.k.relation(), .fork = c.k.relation_fork()};
    b.number = c.what == what::clear ? c.number : c.k.d;
    if (c.what == what::clear) b.fork = fork_number::main;
    if (c.what == what::letter) {
      b.data.resize(5);
      store(b.data.data(), c.offset);
      store(b.data.data() + 2, uint16_t{1});
      b.data[4] = static_cast<std::byte>(c.letter);
    }
    if (c.what == what::unredoable) b.data.resize(4);
    if (c.what == what::image) {
      const page p = page_of(c.letter, c.k.relation_fork());
      record_builder::image image{bytes(p.data.begin(), p.data.end()), 0, 0, testing::image_apply};
      if (c.k.relation_fork() == fork_number::main) {
        image.data.erase(image.data.begin() + hole_begin, image.data.begin() + hole_end);
        image.hole_offset = hole_begin;
        image.hole_length = hole_end - hole_begin;
        image.info |= testing::image_has_hole;
      }
      b.full_page = std::move(image);
    }
    out.add(b);
  }
  if (clears) {
    bytes fixed(8);                // xl_heap_delete
    fixed[7] = std::byte{1 << 0};  // XLH_DELETE_ALL_VISIBLE_CLEARED
    out.main_data(fixed);
  }
  return out.finish();
}

void feed(const history& all, size_t line, const step_of_wal& step, layers::memory_layer& into) {
  const layers::memory_layer::stored_record* stored = nullptr;
  for (const change& c : step.changes) {
    if (c.is_record()) {
      if (stored == nullptr) stored = into.add_record(step.start, record_of(step));
      into.put_record(
          c.k, step.end, stored,
          c.makes_page ? redo::record_effect::initialises : redo::record_effect::changes);
    } else if (c.what == what::value) {
      into.put_value(c.k, step.end, c.value);
    } else if (c.what == what::absent) {
      into.put_absent(c.k, step.end);
    } else {
      into.put_copy(c.k, step.end, c.source, step.start);
    }
  }
  if (step.time_us)
    into.put_transaction_end(*step.time_us, step.start, step.end,
                             all.newest_time(line, step.start).value_or(layers::no_time));
  if (step.unknown) into.put_unknown(*step.unknown, step.end, {errc::unsupported, "a made record"});
  into.publish(step.end);
}

}  // namespace zenith::simulation
