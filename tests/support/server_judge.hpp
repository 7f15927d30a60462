// server_judge: whether a server is all that a stock PostgreSQL has to be, by its own tools.
#pragma once

#include <functional>
#include <string>

namespace zenith::testing {

/// Superuser connections' text for a database of one running server.
using connector = std::function<std::string(const std::string& database)>;

/// Ends what an LSN lies amidst and other judges would stumble over; gives one line for each. Every
/// second prepared transaction is committed and the others rolled back, by their names' order: as
/// long as they live, they keep their locks. A tablespace whose DROP has removed its files, which
/// is logged before its commit (tablespace.c, DropTableSpace), is dropped again.
std::string end_what_is_under_way(const connector& server);

/// What pg_dumpall says of all databases, but for where tablespaces lie: that is each server's own.
std::string dump_of(const connector& server);

/// What pg_amcheck complains of in all databases, all heap tuples sought in their indexes and
/// indexes' levels compared; empty where it finds nothing. Installs amcheck where it is missing.
std::string complaints_of(const connector& server);

/// Inserts, updates, locks, deletes and vacuums in every table of every database, moves every
/// sequence, and makes one new object of each kind. Leaves the prepared transaction "work".
/// Throws where the server refuses any of it.
void work_on(const connector& server);

/// Counts and hashes of all rows of all tables, one line a table: to be compared over a restart.
std::string contents_of(const connector& server);

}  // namespace zenith::testing
