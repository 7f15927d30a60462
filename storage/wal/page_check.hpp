// page_check: what must hold of a WAL page's header before its bytes are believed.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/wal_page.hpp"
#include "storage/wal/decoder.hpp"

namespace zenith::wal {

/// Checks the header of the page at `at`: magic number, flags, address, a pg_timeline not below
/// `least_timeline`, and in a long header the system identifier and the sizes. `header` holds the
/// whole header (24 or 40 bytes, as its flags say) or more. Error: corrupt.
/// Source of the rules: xlogreader.c, XLogReaderValidatePageHeader.
result<void> check_page_header(byte_view header, lsn at, const wal_identity& identity,
                               uint32_t least_timeline);

}  // namespace zenith::wal
