// The two things that redo does with a record: say what it changes, and change one page.
#pragma once

#include <optional>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/relation_state.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::redo {

/// Applies one record to the page that a key names: a relation block or an SLRU page.
/// In: the page as it was before the record (zeros where the record initialises it).
/// Out: the page as PostgreSQL has it after the record, LSN set. A relation page whose LSN is at
/// or past the record's end is left alone, as XLogReadBufferForRedo does. A record's applied image
/// is restored here, for every resource manager. Checks no image that serves checking only.
/// Errors: unsupported (a resource manager or record that we cannot apply), corrupt (record and
/// page do not fit); both name the record and the page; the page's contents are then undefined.
/// Never reads or writes outside the page or the record, whatever bytes they hold.
result<void> apply(const pg::record& record, const key& k, page& p);

/// Makes a fork's state what it is after a record that refers to blocks of it, clears bits in its
/// visibility map, creates it or truncates it: longer where blocks lie past its end, made where it
/// does not exist, as XLogReadBufferExtended does. Gives whether it changed. Error: corrupt.
result<bool> extend_fork(const pg::record& record, const relation_id& relation, fork_number fork,
                         std::optional<relation_state>& state);

enum class record_effect {
  changes,      ///< the new value is a function of the old one and the record
  initialises,  ///< the new value is a function of the record alone
};

/// Where ingest puts what a record changes, and what it asks of the state just before the record.
/// Everything put is visible from the record's end LSN on. Implemented by storage/layers.
class change_sink {
 public:
  virtual ~change_sink() = default;

  /// redo::apply(record, k, page) gives k's next version. Where k is all blocks of a fork (effect:
  /// initialises), it does so of each block by which the record makes the fork longer, and which
  /// has no version of its own from it.
  virtual void put_record(const key& k, record_effect effect) = 0;
  /// k's next version is this value (shape: key_kind's comment).
  virtual void put_value(const key& k, bytes value) = 0;
  /// From here on k does not exist.
  virtual void put_absent(const key& k) = 0;
  /// k's next version is what `from` is just before this record. Where both are all blocks of a
  /// fork: each block of the one is what that of the other is, zeros past the other's end.
  virtual void put_copy(const key& k, const key& from) = 0;
  /// A fork's size; nullopt: it does not exist from here on.
  virtual void put_relation(const relation_id& relation, fork_number fork,
                            std::optional<relation_state> state) = 0;
  /// A transaction ended: for finding an LSN by time. `commit_time`: microseconds since
  /// 2000-01-01 UTC (TimestampTz).
  virtual void put_transaction_end(int64_t time_us) = 0;

  /// k's value now; nullopt where it does not exist.
  virtual result<std::optional<bytes>> current(const key& k) = 0;
  virtual result<std::optional<relation_state>> current_relation(const relation_id& relation,
                                                                 fork_number fork) = 0;
  /// What current() and current_relation() give, where the sink has it at hand; valid until
  /// something is put. nullptr where it has not: then they tell. For what most records ask.
  virtual const std::optional<bytes>* at_hand(const key&) { return nullptr; }
  virtual const std::optional<relation_state>* relation_at_hand(const relation_id&, fork_number) {
    return nullptr;
  }
  /// A fork whose state could not be read, and why: this record makes it so many blocks long, where
  /// it is not longer; what that comes to is told when it is read (extend_fork). Gives whether it
  /// may have been shorter. Error: `why`, where the sink does not go on without the state.
  virtual result<bool> extend_unread(const relation_id&, fork_number, block_number /*blocks*/,
                                     const error& why) {
    return tl::unexpected<error>(why);
  }
  /// The keys that exist now, from first to last, both included. Not for relation blocks. An error
  /// where a record that was not understood may have made or dropped some of them.
  virtual result<std::vector<key>> current_keys(const key& first, const key& last) = 0;
  /// Whether k exists now. Asked once for each SLRU page that a record touches: a sink that can
  /// tell faster than by listing does so. Not for relation blocks.
  virtual result<bool> exists(const key& k) {
    ZENITH_TRY_ASSIGN(const auto keys, current_keys(k, k));
    return !keys.empty();
  }
};

/// Puts everything that a record changes into the sink: its block references and what they imply
/// for sizes, and what it changes without naming it (visibility map bits, SLRU pages, maps,
/// counters, two-phase state, databases, control data). An error means that nothing more is known
/// of what this record changes (unnamed_changes.hpp says what that may be); what was put before it
/// stays. Of an extension's record all is put that can be, and the error says that its pages cannot
/// be redone.
result<void> ingest(const pg::record& record, change_sink& sink);

}  // namespace zenith::redo
