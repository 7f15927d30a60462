// What the layers say, compared with what the history says.
#include <fmt/format.h>

#include "storage/layers/transaction_times.hpp"
#include "storage/layers/view.hpp"
#include "tests/simulation/world.hpp"

namespace zenith::simulation {
namespace {

seen from_error(const error& e) {
  const bool is_missing = e.code == errc::not_found || e.code == errc::out_of_range;
  return {is_missing ? seen::kind::missing : seen::kind::refused, {}};
}

seen from_value(const result<std::optional<bytes>>& r) {
  if (!r) return from_error(r.error());
  return *r ? seen{seen::kind::there, **r} : seen{};
}

/// What a view says of a key, by the call that is for its kind.
seen read_through(const layers::view& v, const key& k, lsn at, std::string& why) {
  const auto told = [&](const auto& r) {
    if (!r) why = r.error().message;
  };
  if (k.kind == key_kind::relation_block) {
    page p;
    const auto done = v.read_page(k.relation(), k.relation_fork(), k.d, at, p);
    told(done);
    if (!done) return from_error(done.error());
    return {seen::kind::there, bytes(p.data.begin(), p.data.end())};
  }
  if (k.kind == key_kind::relation_size) {
    const auto state = v.relation(k.relation(), k.relation_fork(), at);
    told(state);
    if (!state) return from_error(state.error());
    return *state ? seen{seen::kind::there, (*state)->encode()} : seen{};
  }
  const auto value = v.value(k, at);
  told(value);
  return from_value(value);
}

}  // namespace

layers::view_ptr world::view_of(size_t i) {
  layers::layer_store& store = opened(i);
  const lsn end = told_->timelines()[i].end;
  const line& l = lines_[i];
  const lsn from = l.tags.empty() ? l.from : std::min(l.from, *l.tags.begin());
  return std::make_shared<const layers::view>(
      store.layers(end), from, end, cache_,
      checksums_ ? layers::page_checksums::on : layers::page_checksums::off);
}

world::held_view world::look(size_t i) {
  auto data = view_of(i);
  return {i, std::move(data), lines_[i].from, told_->timelines()[i].end, lines_[i].tags};
}

/// Any LSN that is kept, most often one at which something happens.
std::optional<lsn> world::readable_lsn(size_t i, const held_view& of, chance& by) const {
  if (!of.tags.empty() && by.one_in(4)) {
    auto tag = of.tags.begin();
    std::advance(tag, by.below(of.tags.size()));
    return *tag;
  }
  if (by.one_in(4)) return of.until;
  if (by.one_in(8)) return of.from;
  if (by.one_in(4)) return lsn{by.between(of.from.value(), of.until.value())};
  const history::timeline& t = told_->timelines()[i];
  if (t.parent && (t.wal.empty() || by.one_in(3)) && t.start >= of.from) {
    held_view older = of;
    older.tags.clear();
    older.until = t.start;
    return readable_lsn(*t.parent, older, by);
  }
  if (t.wal.empty()) return of.until;
  const step_of_wal& step = t.wal[by.below(t.wal.size())];
  const lsn at = by.one_in(4) ? step.end - 1 : step.end;
  return at >= of.from && at <= of.until ? std::optional(at) : std::nullopt;
}

void world::compare(const held_view& through, const key& k, lsn at) {
  ++reads_;
  const seen expected = told_->read(through.of, k, at);
  std::string why;
  const seen found = read_through(*through.data, k, at, why);
  if (found == expected) return;
  fail_with(fmt::format("timeline {}: {} as of {} is {}, expected {} {}", through.of, to_string(k),
                        to_string(at), to_string(found), to_string(expected), why),
            k.kind == key_kind::relation_block ? difference::kind::page : difference::kind::value);
}

void world::read_one(const held_view& through, chance& by) {
  const auto at = readable_lsn(through.of, through, by);
  if (!at) return;
  const std::vector<key> all = told_->all_keys(through.of);
  key k = by.of(all);
  const bool has_number = k.kind == key_kind::relation_block || k.kind == key_kind::slru_page;
  if (k.is_all_blocks() || (has_number && by.one_in(10))) k.d = static_cast<uint32_t>(by.below(10));
  if (k.kind == key_kind::relation_size && by.one_in(2)) {
    k.kind = key_kind::relation_block;
    k.d = static_cast<uint32_t>(by.below(6));
  }
  compare(through, k, *at);
}

void world::list_keys(const held_view& through, chance& by) {
  const auto at = readable_lsn(through.of, through, by);
  if (!at) return;
  ++reads_;
  key first = key::control();
  key last = key::size({~0u, ~0u, ~0u}, fork_number::init);
  if (by.one_in(2)) {
    first = key::size({1663, static_cast<uint32_t>(by.between(5, 8)), 0}, fork_number::main);
    last = key::size({first.a, first.b, ~0u}, fork_number::init);
  } else if (by.one_in(2)) {
    first = key::two_phase(0);
    last = key::slru(slru_kind::commit_ts, ~0u);
  }
  const auto expected = told_->keys(through.of, first, last, *at);
  const auto found = through.data->keys(first, last, *at);
  if (!found && !expected) return;
  if (found && expected && *found == *expected) return;
  std::string text;
  const auto add = [&](const char* what, const auto& all) {
    text += what;
    if (!all) text += " a refusal";
    if (all)
      for (const key& k : *all) text += fmt::format(" [{}]", to_string(k));
  };
  add("found", found);
  add(", expected", expected);
  fail_with(fmt::format("timeline {}: keys as of {}: {} {}", through.of, to_string(*at), text,
                        found ? "" : found.error().message),
            difference::kind::keys);
}

/// What lies before the window is refused with the earliest LSN that works, whatever is asked.
void world::expect_refused(size_t i, chance& by) {
  layers::layer_store& store = opened(i);
  const lsn from = lines_[i].from;
  const lsn begin = told_->timelines()[0].start;
  if (store.has_manifest() && store.recorded().readable_from != from)
    fail_with(fmt::format("timeline {} can be read from {}, expected {}", i,
                          to_string(store.recorded().readable_from), to_string(from)));
  if (from == begin) return;
  const lsn at{by.between(begin.value(), from.value() - 1)};
  const lsn end = told_->timelines()[i].end;
  const layers::view seen(store.layers(end), from, end, cache_);
  const auto refused = [&](const auto& read, const std::string& what) {
    ++reads_;
    if (!read && read.error().code == errc::out_of_range &&
        read.error().message.find(to_string(from)) != std::string::npos)
      return;
    fail_with(fmt::format("timeline {}: {} as of {}, before {}: {}", i, what, to_string(at),
                          to_string(from), read ? "it is not refused" : read.error().message));
  };
  const key k = by.of(told_->all_keys(i));
  const relation_id relation{1663, 5, 16384};
  page into;
  if (k.kind != key_kind::relation_block && !k.is_all_blocks())
    refused(seen.value(k, at), to_string(k));
  refused(seen.relation(relation, fork_number::main, at), "a size");
  refused(seen.read_page(relation, fork_number::main, 0, at, into), "a page");
  refused(seen.shared_page(relation, fork_number::main, 0, at), "a shared page");
  refused(seen.first_image(relation, fork_number::main, 0, at), "an image");
  refused(seen.keys(key::control(), key::size({~0u, ~0u, ~0u}, fork_number::init), at), "keys");
}

/// An end before what is kept may be forgotten; what is answered then is no state that is kept.
void world::find_times(size_t i, chance& by) {
  const auto all = opened(i).layers(told_->timelines()[i].end);
  const lsn from = lines_[i].from;
  const lsn end = told_->timelines()[i].end;
  const lsn until{by.between(from.value(), end.value())};
  const int64_t time =
      static_cast<int64_t>(by.between(from.value(), end.value()) * 10 + by.below(20000));
  ++reads_;
  const auto expected = told_->first_later_than(i, time, until);
  const auto found = layers::first_later_than(all, time, until);
  if (!found) fail_with("times cannot be told: " + found.error().message);
  if (*found != expected && (!expected || expected->end > from))
    fail_with(fmt::format("timeline {}: the first end later than {} up to {} is at {}, expected {}",
                          i, time, to_string(until), *found ? to_string((*found)->end) : "none",
                          expected ? to_string(expected->end) : "none"),
              difference::kind::times);
  const auto newest = layers::newest_time(all, until);
  if (!newest) fail_with("times cannot be told: " + newest.error().message);
  const auto newest_expected = told_->newest_time(i, until);
  if (*newest != newest_expected)
    fail_with(fmt::format("timeline {}: the newest time up to {} is {}, expected {}", i,
                          to_string(until), newest->value_or(0), newest_expected.value_or(0)),
              difference::kind::times);
}

}  // namespace zenith::simulation
