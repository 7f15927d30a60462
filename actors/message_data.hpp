// What the node's answers hold, as plain data that knows no actor.
//
// Times are microseconds since 1970-01-01 UTC; LSNs are byte positions; ids are 32 hex digits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace zenith::actors {

struct branch_info {
  std::string name;
  std::string timeline;
  std::string parent;  ///< a branch's name; empty for a root
  uint64_t start_lsn = 0;
  uint64_t last_lsn = 0;
  int64_t created_at = 0;
};

/// The answer to a branch's creation, with what it took apart from the wait for WAL.
struct branch_made {
  branch_info branch;
  bool moved = false;  ///< the LSN asked for lay inside a record; start_lsn is that record's end
  uint64_t supervisor_us = 0;
  uint64_t waited_us = 0;
};

struct tag_info {
  std::string name;
  std::string timeline;
  std::string branch;  ///< empty where no branch names the timeline
  uint64_t lsn = 0;
  int64_t created_at = 0;
};

struct point_info {
  std::string timeline;
  std::string branch;
  uint64_t lsn = 0;
  bool moved = false;
  bool has_time = false;
  int64_t time = 0;  ///< of the newest commit at or before it
};

/// What `pg create` asks for.
struct compute_request {
  std::string name;
  std::string point;  ///< empty: the branch named like the compute, else main
  uint16_t port = 0;  ///< 0: any free one
  bool full = false;
  bool read_only = false;
  bool sync = false;
};

struct compute_info {
  std::string name;
  std::string branch;
  std::string timeline;
  uint64_t lsn = 0;
  std::string state;  ///< stopped, starting, running, stopping, failed
  uint16_t port = 0;
  std::string data_directory;
  std::string uri;
  std::string mode;  ///< read-write or read-only, with "sync" where commits wait for the node
  uint64_t received_lsn = 0;
  std::string problem;  ///< why it failed, or what it waits for; empty where all is well
};

struct timeline_status {
  std::string id;
  std::string branch;
  std::string state;  ///< open, idle (not opened since the node's start) or failed
  uint64_t start_lsn = 0;
  uint64_t last_lsn = 0;
  uint64_t durable_lsn = 0;
  std::string source;  ///< the compute that it follows, empty for none
  uint64_t lag_bytes = 0;
  std::string problem;
  // Of the images that records carry for checking, since the timeline was opened; 0 where the
  // setting check_consistency_images is off.
  uint64_t images_checked = 0;
  uint64_t image_mismatches = 0;  ///< of these: redo makes another page
  uint64_t image_failures = 0;    ///< beside these: redo makes no page
  // Its layers; of one that is idle as they were when it was open last.
  uint64_t readable_from = 0;  ///< the oldest LSN, but for what branches, tags and servers hold
  uint64_t memory_bytes = 0;   ///< of layers that are not in files
  uint64_t layers = 0;         ///< files, or parts of them, in which its history lies
  uint64_t layer_bytes = 0;    ///< of these files, some of which others read too
  uint64_t layer_depth = 0;    ///< how many of them a read of one page may have to look at
  uint64_t wal_bytes = 0;      ///< taken in since the timeline began
  uint64_t flushed_bytes = 0;  ///< of that written into layer files as it came
  uint64_t merged_bytes = 0;   ///< written by merges
};

struct node_status {
  int32_t pid = 0;
  std::string cli_address;
  std::string page_address;
  std::string http_address;
  std::string version;
  std::vector<timeline_status> timelines;
  uint64_t memory_bytes = 0;  ///< of caches and of layers that are not in files
  uint64_t memory_limit_bytes = 0;
};

struct page_reply {
  uint64_t lsn = 0;
  uint64_t page_lsn = 0;
  std::vector<uint8_t> data;  ///< 8192 bytes
};

struct page_request {
  std::string point;
  uint32_t tablespace = 0;
  uint32_t database = 0;
  uint32_t relfilenode = 0;
  uint8_t fork = 0;
  uint32_t block = 0;
};

struct mismatch_info {
  std::string file;
  uint32_t block = 0;
  uint32_t offset = 0;
};

struct verify_reply {
  uint64_t relations = 0;
  uint64_t pages = 0;
  uint64_t mismatch_count = 0;
  std::vector<mismatch_info> mismatches;  ///< the first ones
};

/// What a collection removed, or would remove, and what stays for which reason.
struct gc_reply {
  uint64_t removed_files = 0;
  uint64_t removed_bytes = 0;
  uint64_t kept_bytes = 0;
  uint64_t removed_wal_files = 0;  ///< segments of WAL that was kept as it came
  uint64_t removed_wal_bytes = 0;
  uint64_t kept_wal_bytes = 0;
  std::vector<std::string> removed;  ///< the first ones, by name
  std::vector<std::string> kept;     ///< one line a timeline that has layers
  /// Of what is only told: bytes of layer files that merges would free beside that, about.
  uint64_t estimated_bytes = 0;
};

struct export_reply {
  std::string directory;
  std::string timeline;
  uint64_t lsn = 0;
  uint64_t size_bytes = 0;
};

}  // namespace zenith::actors
