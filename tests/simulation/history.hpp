// history: what a tree of timelines was told, as plain lists: the reference of the simulation.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/key_pattern.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/relation_state.hpp"
#include "storage/layers/transaction_end.hpp"

namespace zenith::simulation {

/// What one record does to one key.
struct change {
  enum class kind {
    image,       ///< a page full of one letter
    letter,      ///< one letter at an offset of the page
    commit,      ///< a transaction's status in a page of pg_xact
    zero_page,   ///< a page of pg_xact begins
    clear,       ///< bits of a visibility map's page are cleared
    unredoable,  ///< a record that nobody can apply
    value,
    absent,
    copy,
  };
  key k;
  kind what{};
  char letter = 0;
  uint16_t offset = 0;
  uint32_t number = 0;      ///< a transaction id, or the heap's block whose bits are cleared
  bool makes_page = false;  ///< of a record: it needs nothing older
  bytes value;
  key source;  ///< of a copy, as of the record's start

  bool is_record() const { return what <= kind::unredoable; }
};

/// One record of a timeline's WAL.
struct step_of_wal {
  lsn start;
  lsn end;
  std::vector<change> changes;
  std::optional<int64_t> time_us;      ///< a transaction ends
  std::optional<key_pattern> unknown;  ///< these keys are not known from here on
  bool is_checkpoint = false;
};

/// What a read says.
struct seen {
  enum class kind { missing, refused, there };
  kind what = kind::missing;
  bytes value;
  bool operator==(const seen&) const = default;
};
std::string to_string(const seen& s);

/// The pages that images are made of: one letter but for the header and a hole in the middle.
page page_of(char letter, fork_number fork);
inline constexpr uint16_t hole_begin = 512;
inline constexpr uint16_t hole_end = page_size_bytes - 512;

/// All timelines with all that was ever written to them. Knows nothing of layers or files.
class history {
 public:
  struct timeline {
    std::optional<size_t> parent;
    lsn start;  ///< where it left its parent
    lsn end;
    std::vector<step_of_wal> wal;
    std::vector<size_t> unknowns;  ///< the steps since which something is not known
    bool removed = false;
  };
  /// `base`: what the root starts with.
  history(lsn start, std::map<key, bytes> base, bool checksums);

  size_t add_child(size_t parent, lsn start);
  void append(size_t line, step_of_wal step);
  /// What a crash took: everything past `end`.
  void cut(size_t line, lsn end);
  void remove(size_t line) { lines_[line].removed = true; }

  const std::vector<timeline>& timelines() const { return lines_; }
  const std::map<key, bytes>& base() const { return base_; }

  /// Of relation blocks and SLRU pages the page, else the value.
  seen read(size_t line, const key& k, lsn at) const;
  /// nullopt: refused.
  std::optional<std::vector<key>> keys(size_t line, const key& first, const key& last,
                                       lsn at) const;
  /// Every key that a timeline was ever told of, its ancestors' included.
  std::vector<key> all_keys(size_t line) const;
  /// layer::first_later_than and newest_time over the whole history up to an LSN.
  std::optional<layers::transaction_end> first_later_than(size_t line, int64_t time_us,
                                                          lsn until) const;
  std::optional<int64_t> newest_time(size_t line, lsn until) const;

 private:
  struct version {
    lsn start;
    lsn at;
    const change* what;
  };
  /// Versions with after < LSN <= at, newest first, up to one that needs nothing older.
  std::vector<version> versions(size_t line, const key& k, lsn after, lsn at) const;
  template <class Matches>
  bool is_unknown(size_t line, lsn at, const Matches& matches) const;
  bool is_unknown(size_t line, const key& k, lsn at) const;
  seen block(size_t line, const key& k, lsn at) const;
  seen block_of_all(size_t line, const key& k, lsn hidden, lsn at) const;
  seen slru_page(size_t line, const key& k, lsn at) const;
  seen apply(const key& k, const std::vector<version>& records, page p) const;
  template <class Each>
  void each_step(size_t line, lsn until, const Each& each) const;

  struct place {
    size_t step;
    size_t change;
  };
  std::vector<timeline> lines_;
  std::vector<std::map<key, std::vector<place>>> index_;
  std::map<key, bytes> base_;
  bool checksums_;
};

}  // namespace zenith::simulation
