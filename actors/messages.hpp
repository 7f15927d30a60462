// What the command line and the node say to each other: message_data.hpp's types as CAF messages.
#pragma once

#include <caf/all.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/message_data.hpp"
#include "storage/base/result.hpp"

namespace zenith::actors {

/// errc as it travels: the same numbers, so that a client can tell kinds of failure apart.
enum class node_error : uint8_t {
  corrupt = static_cast<uint8_t>(errc::corrupt),
  io = static_cast<uint8_t>(errc::io),
  not_found = static_cast<uint8_t>(errc::not_found),
  already_exists = static_cast<uint8_t>(errc::already_exists),
  invalid_argument = static_cast<uint8_t>(errc::invalid_argument),
  out_of_range = static_cast<uint8_t>(errc::out_of_range),
  not_arrived = static_cast<uint8_t>(errc::not_arrived),
  unsupported = static_cast<uint8_t>(errc::unsupported),
  conflict = static_cast<uint8_t>(errc::conflict),
  unavailable = static_cast<uint8_t>(errc::unavailable),
  limit = static_cast<uint8_t>(errc::limit),
};
std::string to_string(node_error code);

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, branch_info& x) {
  return f(caf::meta::type_name("branch_info"), x.name, x.timeline, x.parent, x.start_lsn,
           x.last_lsn, x.created_at);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, branch_made& x) {
  return f(caf::meta::type_name("branch_made"), x.branch, x.moved, x.supervisor_us, x.waited_us);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, tag_info& x) {
  return f(caf::meta::type_name("tag_info"), x.name, x.timeline, x.branch, x.lsn, x.created_at);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, point_info& x) {
  return f(caf::meta::type_name("point_info"), x.timeline, x.branch, x.lsn, x.moved, x.has_time,
           x.time);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, compute_request& x) {
  return f(caf::meta::type_name("compute_request"), x.name, x.point, x.port, x.full, x.read_only,
           x.sync);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, compute_info& x) {
  return f(caf::meta::type_name("compute_info"), x.name, x.branch, x.timeline, x.lsn, x.state,
           x.port, x.data_directory, x.uri, x.mode, x.received_lsn, x.problem);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, timeline_status& x) {
  return f(caf::meta::type_name("timeline_status"), x.id, x.branch, x.state, x.start_lsn,
           x.last_lsn, x.durable_lsn, x.source, x.lag_bytes, x.problem, x.images_checked,
           x.image_mismatches, x.image_failures, x.readable_from, x.memory_bytes, x.layers,
           x.layer_bytes, x.layer_depth, x.wal_bytes, x.flushed_bytes, x.merged_bytes);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, node_status& x) {
  return f(caf::meta::type_name("node_status"), x.pid, x.cli_address, x.page_address,
           x.http_address, x.version, x.timelines, x.memory_bytes, x.memory_limit_bytes);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, page_reply& x) {
  return f(caf::meta::type_name("page_reply"), x.lsn, x.page_lsn, x.data);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, page_request& x) {
  return f(caf::meta::type_name("page_request"), x.point, x.tablespace, x.database, x.relfilenode,
           x.fork, x.block);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, mismatch_info& x) {
  return f(caf::meta::type_name("mismatch_info"), x.file, x.block, x.offset);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, verify_reply& x) {
  return f(caf::meta::type_name("verify_reply"), x.relations, x.pages, x.mismatch_count,
           x.mismatches);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, gc_reply& x) {
  return f(caf::meta::type_name("gc_reply"), x.removed_files, x.removed_bytes, x.kept_bytes,
           x.removed_wal_files, x.removed_wal_bytes, x.kept_wal_bytes, x.removed, x.kept,
           x.estimated_bytes);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, export_reply& x) {
  return f(caf::meta::type_name("export_reply"), x.directory, x.timeline, x.lsn, x.size_bytes);
}

}  // namespace zenith::actors

CAF_ERROR_CODE_ENUM(zenith::actors::node_error, "zenith")

CAF_BEGIN_TYPE_ID_BLOCK(zenith, first_custom_type_id)
CAF_ADD_TYPE_ID(zenith, (zenith::actors::branch_info))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::branch_made))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::tag_info))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::point_info))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::compute_request))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::compute_info))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::timeline_status))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::node_status))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::page_reply))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::page_request))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::mismatch_info))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::verify_reply))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::export_reply))
CAF_ADD_TYPE_ID(zenith, (zenith::actors::gc_reply))
CAF_ADD_TYPE_ID(zenith, (std::vector<zenith::actors::branch_info>))
CAF_ADD_TYPE_ID(zenith, (std::vector<zenith::actors::tag_info>))
CAF_ADD_TYPE_ID(zenith, (std::vector<zenith::actors::compute_info>))
CAF_ADD_TYPE_ID(zenith, (std::vector<zenith::actors::timeline_status>))
CAF_ADD_TYPE_ID(zenith, (std::vector<zenith::actors::mismatch_info>))
CAF_ADD_TYPE_ID(zenith, (std::vector<uint8_t>))
CAF_ADD_ATOM(zenith, zenith::actors, status_atom, "status")
CAF_ADD_ATOM(zenith, zenith::actors, branches_atom, "branches")
CAF_ADD_ATOM(zenith, zenith::actors, branch_atom, "branch")
CAF_ADD_ATOM(zenith, zenith::actors, unbranch_atom, "unbranch")
CAF_ADD_ATOM(zenith, zenith::actors, rename_atom, "rename")
CAF_ADD_ATOM(zenith, zenith::actors, tags_atom, "tags")
CAF_ADD_ATOM(zenith, zenith::actors, tag_atom, "tag")
CAF_ADD_ATOM(zenith, zenith::actors, untag_atom, "untag")
CAF_ADD_ATOM(zenith, zenith::actors, resolve_atom, "resolve")
CAF_ADD_ATOM(zenith, zenith::actors, pg_create_atom, "pg_create")
CAF_ADD_ATOM(zenith, zenith::actors, pg_start_atom, "pg_start")
CAF_ADD_ATOM(zenith, zenith::actors, pg_stop_atom, "pg_stop")
CAF_ADD_ATOM(zenith, zenith::actors, pg_list_atom, "pg_list")
CAF_ADD_ATOM(zenith, zenith::actors, pg_destroy_atom, "pg_destroy")
CAF_ADD_ATOM(zenith, zenith::actors, export_atom, "export")
CAF_ADD_ATOM(zenith, zenith::actors, page_atom, "page")
CAF_ADD_ATOM(zenith, zenith::actors, verify_atom, "verify")
CAF_ADD_ATOM(zenith, zenith::actors, gc_atom, "gc")
CAF_ADD_ATOM(zenith, zenith::actors, compact_atom, "compact")
CAF_ADD_ATOM(zenith, zenith::actors, window_atom, "window")
CAF_ADD_ATOM(zenith, zenith::actors, shutdown_atom, "shutdown")
CAF_END_TYPE_ID_BLOCK(zenith)

namespace zenith::actors {

/// The node's supervisor as its clients see it. Every failure is a node_error whose one context
/// element is the line for a person.
using control_actor = caf::typed_actor<
    // What the node is and has.
    caf::replies_to<status_atom>::with<node_status>,
    // All branches, sorted by name.
    caf::replies_to<branches_atom>::with<std::vector<branch_info>>,
    // Makes a branch (name, point); answers once it is durable.
    caf::replies_to<branch_atom, std::string, std::string>::with<branch_made>,
    // Deletes a branch (name, whether to stop its compute).
    caf::replies_to<unbranch_atom, std::string, bool>::with<std::string>,
    // Renames a branch (old, new).
    caf::replies_to<rename_atom, std::string, std::string>::with<std::string>,
    // All tags; makes one (name, point); deletes one.
    caf::replies_to<tags_atom>::with<std::vector<tag_info>>,
    caf::replies_to<tag_atom, std::string, std::string>::with<tag_info>,
    caf::replies_to<untag_atom, std::string>::with<std::string>,
    // Resolves a point.
    caf::replies_to<resolve_atom, std::string>::with<point_info>,
    // Computes: create, start, stop (name, immediately), list, destroy (name, forced). Start
    // answers once the server accepts connections and the node follows it; stop once the node has
    // all of its WAL.
    caf::replies_to<pg_create_atom, compute_request>::with<compute_info>,
    caf::replies_to<pg_start_atom, std::string>::with<compute_info>,
    caf::replies_to<pg_stop_atom, std::string, bool>::with<compute_info>,
    caf::replies_to<pg_list_atom>::with<std::vector<compute_info>>,
    caf::replies_to<pg_destroy_atom, std::string, bool>::with<std::string>,
    // A plain data directory (point, directory); one page; a comparison (point, directory).
    caf::replies_to<export_atom, std::string, std::string>::with<export_reply>,
    caf::replies_to<page_atom, page_request>::with<page_reply>,
    caf::replies_to<verify_atom, std::string, std::string>::with<verify_reply>,
    // Collects (whether only to say what would go); merges a branch's layers until nothing is due.
    caf::replies_to<gc_atom, bool>::with<gc_reply>,
    caf::replies_to<compact_atom, std::string>::with<gc_reply>,
    // Gives a branch (name) a setting (key) of its own, or takes it back (empty value).
    caf::replies_to<window_atom, std::string, std::string, std::string>::with<std::string>,
    // Stops computes and makes all durable; answers when that is done, then the node ends.
    caf::replies_to<shutdown_atom>::with<std::string>>;

}  // namespace zenith::actors
