// A merge: its inputs as one cursor, through key_merger, into new files.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/layers/collected.hpp"
#include "storage/layers/delta_layer.hpp"
#include "storage/layers/key_merger.hpp"
#include "storage/layers/layer_map_checks.hpp"
#include "storage/layers/layer_writes.hpp"
#include "storage/layers/merging_cursor.hpp"
#include "storage/layers/transaction_end.hpp"

namespace zenith::layers {
namespace {

constexpr uint64_t bytes_between_stops = uint64_t{1} << 17;

/// The part of a slice that a merge reads, with what is read of it counted.
class counted_cursor final : public version_cursor {
 public:
  counted_cursor(std::unique_ptr<version_cursor> versions, const layer_slice& from,
                 uint64_t& entries)
      : versions_(std::move(versions)), until_(from.until), entries_(entries) {
    cuts_ends_ = from.reaches() < from.file.last;
  }

  result<bool> next(version_entry& into) override {
    ZENITH_TRY_ASSIGN(const bool more, versions_->next(into));
    if (!more) return false;
    ++entries_;
    if (cuts_ends_ && into.k.kind == key_kind::transaction_ends &&
        into.kind == version_kind::value) {
      ZENITH_TRY_ASSIGN(auto shorter, until_lsn(into.data, until_));
      if (shorter) {
        value_ = std::move(*shorter);
        into.data = value_;
      }
    }
    return true;
  }

 private:
  std::unique_ptr<version_cursor> versions_;
  lsn until_;
  bool cuts_ends_ = false;  // batches of transaction ends may go past until_
  uint64_t& entries_;
  bytes value_;
};

/// The files that a merge writes. Those that it does not give away are removed.
class outputs {
 public:
  outputs(const layer_output& how, const layer_limits& limits, const compaction_plan& plan,
          lsn after, lsn last)
      : how_(how), limits_(limits), splits_(plan.output_level > 0), after_(after), last_(last) {}
  ~outputs() {
    writer_.reset();
    for (const path& one : begun_) static_cast<void>(how_.files->files().remove(one));
  }
  outputs(const outputs&) = delete;
  outputs& operator=(const outputs&) = delete;

  result<void> add(const version_entry& v) {
    if (splits_ && writer_ && v.k != last_key_ && writer_->stored_bytes() >= limits_.file_bytes)
      ZENITH_TRY(finish_file());
    if (!writer_) {
      const layer_name name = how_.next_name();
      begun_.push_back(how_.files->path_of(name));
      ZENITH_TRY_ASSIGN(
          auto writer, delta_writer::create(how_.files->files(), begun_.back(), name, after_, last_,
                                            limits_.merge_compression_level));
      writer_.emplace(std::move(writer));
    }
    last_key_ = v.k;
    return writer_->add(v);
  }

  result<std::vector<layer_file_info>> take() {
    if (writer_) ZENITH_TRY(finish_file());
    begun_.clear();
    return std::move(finished_);
  }

 private:
  result<void> finish_file() {
    ZENITH_TRY_ASSIGN(auto info, writer_->finish());
    finished_.push_back(std::move(info));
    writer_.reset();
    return {};
  }

  const layer_output& how_;
  const layer_limits& limits_;
  const bool splits_;  // level 0 counts its files
  lsn after_;
  lsn last_;
  std::optional<delta_writer> writer_;
  key last_key_;
  std::vector<path> begun_;
  std::vector<layer_file_info> finished_;
};

class merge {
 public:
  merge(const compaction_plan& plan, const layer_map& map, const layer_output& out,
        const std::function<bool()>& stop)
      : plan_(plan), map_(map), files_(*out.files), stop_(stop), entries_(plan.inputs.size()) {}

  /// The versions of the inputs with keys from first to last, at or before an LSN.
  result<std::unique_ptr<merging_cursor>> open(const key& first, const key& last, lsn until);
  result<std::unique_ptr<merge_history>> history(page_checksums checksums) const;
  /// For every version that goes through.
  result<void> check_stop(const version_entry& v);
  result<void> check_stop();
  bool may_be_older(const key& k, lsn before) const;
  lsn after() const;
  lsn last() const;
  uint64_t bytes_read() const;
  /// What of the inputs cannot be read; all of them where each can be by itself, but not together.
  result<std::vector<unreadable_part>> unreadable();

 private:
  bool is_input(const layer_slice& slice) const {
    return std::ranges::find(plan_.inputs, slice) != plan_.inputs.end();
  }

  const compaction_plan& plan_;
  const layer_map& map_;
  layer_files& files_;
  const std::function<bool()>& stop_;
  std::vector<uint64_t> entries_;  // read of each input
  uint64_t bytes_since_stop_ = 0;
};

result<std::unique_ptr<merging_cursor>> merge::open(const key& first, const key& last, lsn until) {
  std::vector<merging_cursor::input> cursors;
  for (size_t i = 0; i < plan_.inputs.size(); ++i) {
    const layer_slice& slice = plan_.inputs[i];
    const key from = std::max(first, slice.first);
    const key to = std::min(last, slice.last);
    if (from > to) continue;
    ZENITH_TRY_ASSIGN(auto versions,
                      files_.cursor(slice.file, from, to, std::min(until, slice.until)));
    cursors.push_back({std::make_unique<counted_cursor>(std::move(versions), slice, entries_[i]),
                       files_.path_of(slice.file.name).string()});
  }
  return std::make_unique<merging_cursor>(std::move(cursors));
}

result<std::unique_ptr<merge_history>> merge::history(page_checksums checksums) const {
  std::vector<layer_map::level> left;
  for (const layer_map::level& level : map_.levels()) {
    left.push_back(level);
    std::erase_if(left.back(), [&](const layer_slice& one) { return is_input(one); });
  }
  ZENITH_TRY_ASSIGN(const layer_map untouched, layer_map::make(std::move(left), {}));
  return std::make_unique<merge_history>(map_.layers(files_), untouched.layers(files_), checksums);
}

result<void> merge::check_stop(const version_entry& v) {
  bytes_since_stop_ += sizeof(version_entry) + v.data.size();
  return bytes_since_stop_ < bytes_between_stops ? result<void>{} : check_stop();
}

result<void> merge::check_stop() {
  bytes_since_stop_ = 0;
  if (stop_ && stop_()) return fail(errc::unavailable, "the merge was told to stop");
  return {};
}

bool merge::may_be_older(const key& k, lsn before) const {
  const auto may = [&](const layer_slice& one) {
    return one.file.first_lsn() < before && one.overlaps(k, k) && !is_input(one);
  };
  if (std::ranges::any_of(map_.levels().front(), may)) return true;
  for (size_t i = 1; i < map_.levels().size(); ++i) {
    const layer_level& level = map_.levels()[i];
    const auto [begin, end] = overlapping(level, k, k);
    if (begin < end && may(level[begin])) return true;
  }
  return false;
}

lsn merge::after() const {
  lsn first = lsn::max();
  for (const layer_slice& one : plan_.inputs) first = std::min(first, one.file.first_lsn());
  return first - 1;
}

lsn merge::last() const {
  lsn newest;
  for (const layer_slice& one : plan_.inputs) newest = std::max(newest, one.reaches());
  return newest;
}

/// Each input's share of its file, by its versions.
uint64_t merge::bytes_read() const {
  double bytes = 0;
  for (size_t i = 0; i < plan_.inputs.size(); ++i) {
    const layer_file_info& file = plan_.inputs[i].file;
    bytes += static_cast<double>(file.size_bytes) * static_cast<double>(entries_[i]) /
             static_cast<double>(std::max<uint64_t>(file.entries, 1));
  }
  return static_cast<uint64_t>(bytes);
}

result<std::vector<unreadable_part>> merge::unreadable() {
  std::vector<unreadable_part> all;
  for (const layer_slice& one : plan_.inputs) {
    ZENITH_TRY_ASSIGN(auto found, find_unreadable(files_, one, {plan_.first, plan_.last}, stop_));
    std::ranges::move(found, std::back_inserter(all));
  }
  if (!all.empty()) return all;
  ZENITH_TRY_ASSIGN(const auto versions, open(plan_.first, plan_.last, lsn::max()));
  for (version_entry v;;) {
    const auto more = versions->next(v);
    if (!more && !is_damage(more.error())) return tl::unexpected<error>(more.error());
    if (!more) {
      for (const layer_slice& one : plan_.inputs)
        all.push_back({one.file.name,
                       {std::max(one.first, plan_.first), std::min(one.last, plan_.last)},
                       more.error()});
      return all;
    }
    if (!*more) return all;
    ZENITH_TRY(check_stop(v));
  }
}

result<written_layers> write_merged(merge& job, const compaction_plan& plan, const layer_map& map,
                                    const retention& kept, const layer_output& out,
                                    const layer_limits& limits) {
  ZENITH_TRY_ASSIGN(const auto history, job.history(out.checksums));
  outputs written(out, limits, plan, job.after(), job.last());
  key_merger merger({
      .kept_states = kept.kept_states(),
      .known_from = kept.known_from,
      .unknowns = map.unknowns(),
      .records_max = limits.records_per_page_max,
      .checksums = out.checksums,
      .history = history.get(),
      .reopen = [&](const key& k, lsn until) -> result<std::unique_ptr<version_cursor>> {
        ZENITH_TRY(job.check_stop());
        return job.open(k, k, until);
      },
      .may_be_older = [&](const key& k, lsn before) { return job.may_be_older(k, before); },
      .out = [&](const version_entry& v) { return written.add(v); },
  });
  ZENITH_TRY_ASSIGN(const auto versions, job.open(plan.first, plan.last, lsn::max()));
  for (version_entry v;;) {
    ZENITH_TRY_ASSIGN(const bool more, versions->next(v));
    if (!more) break;
    ZENITH_TRY(job.check_stop(v));
    ZENITH_TRY(merger.add(v));
  }
  ZENITH_TRY(merger.finish());
  written_layers done;
  ZENITH_TRY_ASSIGN(done.files, written.take());
  done.bytes_read = job.bytes_read();
  for (layer_file_info& one : done.files) {
    note_retention(one, kept, plan.inputs);
    done.bytes_written += one.size_bytes;
  }
  return done;
}

}  // namespace

result<written_layers> run_compaction(const compaction_plan& plan, const layer_map& map,
                                      const retention& keep, const layer_output& out,
                                      const layer_limits& limits,
                                      const std::function<bool()>& stop) {
  merge job(plan, map, out, stop);
  // What copies read their sources as of is kept as well.
  auto written = write_merged(job, plan, map, with_points(keep, map.copied_at()), out, limits);
  if (written || !is_damage(written.error())) return written;
  written_layers nothing;
  ZENITH_TRY_ASSIGN(nothing.unreadable, job.unreadable());
  return nothing.unreadable.empty() ? std::move(written) : std::move(nothing);
}

}  // namespace zenith::layers
