// One pair of functions for each resource manager: what redo.cpp dispatches to.
#pragma once

#include "storage/redo/redo.hpp"

namespace zenith::redo {

/// Page redo of one resource manager. `reference`: the record's reference to this page, nullptr
/// where the record changes the page without naming it (visibility map, SLRU). Called only when
/// the page is older than the record and no image was applied. Sets the page's LSN where
/// PostgreSQL's redo does. Its errors need not name the record and the page: redo.cpp adds both.
using apply_function = result<void> (*)(const pg::record& record,
                                        const pg::block_reference* reference, const key& k,
                                        page& p);
/// Why records of a resource manager that has no redo here cannot be applied.
error no_redo_for(const pg::record& record);
/// What a record changes besides the pages that it references (those redo.cpp puts itself).
using ingest_function = result<void> (*)(const pg::record& record, change_sink& sink);

result<void> apply_xlog(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_xlog(const pg::record&, change_sink&);
result<void> apply_transaction(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_transaction(const pg::record&, change_sink&);
result<void> apply_storage(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_storage(const pg::record&, change_sink&);
result<void> apply_clog(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_clog(const pg::record&, change_sink&);
result<void> ingest_database(const pg::record&, change_sink&);
result<void> ingest_tablespace(const pg::record&, change_sink&);
result<void> apply_multixact(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_multixact(const pg::record&, change_sink&);
result<void> ingest_relmap(const pg::record&, change_sink&);
result<void> ingest_standby(const pg::record&, change_sink&);
result<void> apply_heap2(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_heap2(const pg::record&, change_sink&);
result<void> apply_heap(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_heap(const pg::record&, change_sink&);
result<void> apply_btree(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_hash(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_gin(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_gist(const pg::record&, const pg::block_reference*, const key&, page&);
/// What gist_redo changes on a page that it has restored from the record's image.
result<void> finish_gist_image(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_spgist(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_brin(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_sequence(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_generic(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> apply_commit_ts(const pg::record&, const pg::block_reference*, const key&, page&);
result<void> ingest_commit_ts(const pg::record&, change_sink&);
result<void> ingest_replication_origin(const pg::record&, change_sink&);

}  // namespace zenith::redo
