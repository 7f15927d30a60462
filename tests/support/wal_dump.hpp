// wal_dump: what pg_waldump says of part of a data directory's WAL.
#pragma once

#include <filesystem>
#include <string>

#include "storage/postgres/wal_page.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// pg_waldump's text of from..until, which fails the test where a record cannot be read. The
/// segments are named to it: it would take their size from any file that it finds first.
inline std::string dump_wal(const std::filesystem::path& data_directory, pg_timeline timeline,
                            uint32_t segment_size_bytes, lsn from, lsn until) {
  const auto file_of = [&](lsn at) {
    return (data_directory / "pg_wal" /
            pg::segment_file_name(timeline, at.value() / segment_size_bytes, segment_size_bytes))
        .string();
  };
  return run_ok({pg_program("pg_waldump"), "-s", to_string(from), "-e", to_string(until),
                 file_of(from), file_of(until)});
}

}  // namespace zenith::testing
