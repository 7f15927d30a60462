// wal_replay: a page server in a map, with the WAL's own images as the judge.
#include "tests/support/wal_replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <unordered_map>

#include "storage/postgres/mask.hpp"
#include "storage/postgres/record.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/redo/redo.hpp"
#include "storage/wal/decoder.hpp"
#include "tests/support/base_pages.hpp"
#include "tests/support/wal_segments.hpp"

namespace zenith::testing {
namespace {

constexpr size_t problems_kept = 20;

/// "Btree/SPLIT_L": pg::describe without the place.
std::string type_of(const pg::record& record) {
  auto text = pg::describe(record);
  return text.substr(0, text.find(" at "));
}

/// The pages known so far.
class page_table {
 public:
  explicit page_table(const std::optional<std::filesystem::path>& base) {
    if (base) base_.emplace(*base);
  }

  /// The page before a record; nullptr where it is not known.
  page* find(const pg::block_reference& reference) {
    const auto k = reference.page_key();
    if (const auto found = pages_.find(k); found != pages_.end()) return &found->second;
    if (reference.initialises()) return &pages_[k];
    if (!base_) return nullptr;
    const auto from_base = read_base(k);
    // What the base does not have is a page that the relation grew by: zeros.
    return &pages_.emplace(k, from_base.value_or(page{})).first->second;
  }
  void forget(const key& k) { pages_.erase(k); }
  void set(const key& k, const page& p) { pages_[k] = p; }

  /// CREATE DATABASE ... STRATEGY file_copy: `to` has from here on what `from` has now.
  void copy_database(std::pair<uint32_t, uint32_t> from, std::pair<uint32_t, uint32_t> to) {
    copies_[to] = copies_.contains(from) ? copies_[from] : from;
    std::vector<std::pair<key, page>> copied;
    for (const auto& [k, p] : pages_)
      if (std::pair{k.a, k.b} == from) copied.emplace_back(k, p);
    for (auto& [k, p] : copied) {
      std::tie(k.a, k.b) = to;
      pages_[k] = p;
    }
  }
  /// A fork's blocks from here on are gone; they are zeros until they are written again.
  void truncate(const relation_id& relation, fork_number fork, block_number kept) {
    for (auto& [k, p] : pages_)
      if (k.relation() == relation && k.relation_fork() == fork && k.d >= kept) p = page{};
    auto& limit = limits_.try_emplace(key::size(relation, fork), kept).first->second;
    limit = std::min(limit, kept);
  }

 private:
  std::optional<page> read_base(const key& k) {
    if (const auto limit = limits_.find(key::size(k.relation(), k.relation_fork()));
        limit != limits_.end() && k.d >= limit->second)
      return std::nullopt;
    auto relation = k.relation();
    if (const auto copy = copies_.find({k.a, k.b}); copy != copies_.end())
      std::tie(relation.tablespace, relation.database) = copy->second;
    return base_->read(relation, k.relation_fork(), k.d);
  }

  std::optional<base_pages> base_;
  std::unordered_map<key, page> pages_;
  std::map<key, block_number> limits_;
  std::map<std::pair<uint32_t, uint32_t>, std::pair<uint32_t, uint32_t>> copies_;
};

class replayer {
 public:
  explicit replayer(const replay_options& options)
      : pages_(options.base), observe_(options.observe) {}

  void replay(const pg::record& record) {
    ++report_.records;
    report_.end = record.end;
    auto& counts = counts_of(record);
    ++counts.seen;
    follow_files(record);
    for (const auto& reference : record.blocks()) replay_page(record, reference, counts);
  }

  replay_report finish() {
    for (const auto& [number, type] : types_) {
      auto& sum = report_.by_type[type.first];
      sum.seen += type.second.seen;
      sum.applied += type.second.applied;
      sum.checked += type.second.checked;
      sum.mismatched += type.second.mismatched;
      sum.failed += type.second.failed;
      sum.unsupported += type.second.unsupported;
      sum.unknown += type.second.unknown;
    }
    return std::move(report_);
  }

 private:
  /// What happens to whole files without a reference to any of their pages.
  void follow_files(const pg::record& record) {
    const auto& data = record.main_data;
    const auto u32 = [&data](size_t at) { return load<uint32_t>(data.data() + at); };
    // xl_dbase_create_file_copy_rec: target database and tablespace, then the source's.
    if (record.rmgr == pg::resource_manager::database && record.opcode() == 0x00 &&
        data.size() >= 16)
      pages_.copy_database({u32(12), u32(8)}, {u32(4), u32(0)});
    // xl_smgr_truncate: kept blocks, the relation, flags (1: the main fork).
    if (record.rmgr == pg::resource_manager::storage && record.opcode() == 0x20 &&
        data.size() >= 20 && (u32(16) & 1) != 0)
      pages_.truncate({u32(4), u32(8), u32(12)}, fork_number::main, u32(0));
  }

  void replay_page(const pg::record& record, const pg::block_reference& reference,
                   record_counts& counts) {
    const auto k = reference.page_key();
    auto* p = pages_.find(reference);
    if (p == nullptr) {
      ++counts.unknown;
      return take_image(record, reference);
    }
    if (observe_) observe_(record, reference, *p);
    if (const auto applied = redo::apply(record, k, *p); !applied) {
      ++counts.failed;
      if (applied.error().code == errc::unsupported)
        ++counts.unsupported;
      else
        problem(applied.error().message);
      pages_.forget(k);
      return take_image(record, reference);
    }
    ++counts.applied;
    if (reference.has_image && !reference.image.apply) check(record, reference, *p, counts);
  }

  /// Compares a page with the record's image as PostgreSQL does (verifyBackupPageConsistency).
  void check(const pg::record& record, const pg::block_reference& reference, const page& p,
             record_counts& counts) {
    ++counts.checked;
    page expected;
    if (const auto restored = pg::restore_image(reference, record.start, expected); !restored)
      return problem(restored.error().message);
    const auto different = pg::first_difference(record.rmgr, reference.block, p, expected);
    if (!different) return;
    ++counts.mismatched;
    problem(fmt::format(
        "{}: {} (block reference {}) differs first at byte {}: {:#04x} came, "
        "{:#04x} was expected",
        to_string(reference.page_key()), pg::describe(record), reference.id, different->offset,
        std::to_integer<unsigned>(different->first), std::to_integer<unsigned>(different->second)));
    take_image(record, reference);
  }

  void take_image(const pg::record& record, const pg::block_reference& reference) {
    if (!reference.has_image) return;
    page image;
    if (const auto restored = pg::restore_image(reference, record.start, image); !restored)
      return problem(restored.error().message);
    pages_.set(reference.page_key(), image);
  }

  record_counts& counts_of(const pg::record& record) {
    const auto number = static_cast<unsigned>(record.rmgr) << 8 | record.opcode();
    auto found = types_.find(number);
    if (found == types_.end())
      found = types_.emplace(number, std::pair{type_of(record), record_counts{}}).first;
    return found->second.second;
  }

  void problem(std::string what) {
    if (++report_.problem_count <= problems_kept) report_.problems.push_back(std::move(what));
  }

  page_table pages_;
  const decltype(replay_options::observe)& observe_;
  std::unordered_map<unsigned, std::pair<std::string, record_counts>> types_;
  replay_report report_;
};

/// Feeds segment files, one after the other, to a decoder.
class segment_feeder {
 public:
  explicit segment_feeder(const replay_options& options) : options_(options) {
    wal_long_header_ = first_header();
    segments_ = wal_segments(options.wal, wal_long_header_.segment_size_bytes);
    next_ = pg::wal_page_start(options.start);
  }

  wal::wal_identity identity() const {
    return {.system = system_identifier{wal_long_header_.system},
            .segment_size_bytes = wal_long_header_.segment_size_bytes};
  }

  /// Gives whether there was more.
  bool feed(wal::decoder& decoder) {
    if (next_ >= options_.until) return false;
    const auto size = wal_long_header_.segment_size_bytes;
    const auto start = pg::segment_start(next_, size);
    const auto end = std::min(start + size, options_.until);
    bytes data(end - next_);
    const auto segment = segments_.find(next_.value() / size);
    if (segment == segments_.end())
      throw std::runtime_error(fmt::format("no segment holds {}", to_string(next_)));
    std::ifstream file(segment->second, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(next_ - start));
    file.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(data.size()));
    if (!file) throw std::runtime_error("cannot read " + segment->second.string());
    if (const auto fed = decoder.feed(next_, data); !fed)
      throw std::runtime_error(fed.error().message);
    next_ = end;
    return true;
  }

 private:
  /// Any segment's own first page tells how large segments are.
  pg::wal_long_page_header first_header() const {
    for (const auto& entry : std::filesystem::directory_iterator(options_.wal)) {
      if (entry.path().filename().string().size() != 24) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      pg::wal_long_page_header header;
      file.read(reinterpret_cast<char*>(&header), sizeof(header));
      if (file && header.standard.magic == pg::wal_page_magic && header.standard.is_long())
        return header;
    }
    throw std::runtime_error("no WAL segment in " + options_.wal.string());
  }

  const replay_options& options_;
  pg::wal_long_page_header wal_long_header_;
  std::map<uint64_t, std::filesystem::path> segments_;
  lsn next_;
};

}  // namespace

replay_report replay_wal(const replay_options& options) {
  segment_feeder segments(options);
  replayer pages(options);
  wal::decoder decoder(segments.identity(), options.start, lsn{});
  std::string wal_error;
  const auto record = std::make_unique<pg::record>();
  for (bool more = true; more && wal_error.empty();) {
    more = segments.feed(decoder);
    while (true) {
      const auto raw = decoder.next();
      if (!raw) wal_error = raw.error().message;
      if (!raw || !*raw || (*raw)->start >= options.until) break;
      if (const auto decoded =
              pg::decode_record((*raw)->bytes, (*raw)->start, (*raw)->end, *record);
          !decoded) {
        wal_error = decoded.error().message;
        break;
      }
      pages.replay(*record);
    }
  }
  auto report = pages.finish();
  report.wal_error = std::move(wal_error);
  return report;
}

record_counts replay_report::total(const std::string& prefix) const {
  record_counts sum;
  for (const auto& [type, counts] : by_type) {
    if (!type.starts_with(prefix)) continue;
    sum.seen += counts.seen;
    sum.applied += counts.applied;
    sum.checked += counts.checked;
    sum.mismatched += counts.mismatched;
    sum.failed += counts.failed;
    sum.unsupported += counts.unsupported;
    sum.unknown += counts.unknown;
  }
  return sum;
}

std::string replay_report::text() const {
  auto out = fmt::format("{:<32}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "record", "seen",
                         "applied", "checked", "differ", "failed", "unsupp.", "unknown");
  for (const auto& [type, c] : by_type)
    out += fmt::format("{:<32}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", type, c.seen,
                       c.applied, c.checked, c.mismatched, c.failed, c.unsupported, c.unknown);
  out += fmt::format("{} records, {} problems\n", records, problem_count);
  for (const auto& problem : problems) out += "  " + problem + "\n";
  if (!wal_error.empty()) out += "decoding ended early: " + wal_error + "\n";
  return out;
}

}  // namespace zenith::testing
