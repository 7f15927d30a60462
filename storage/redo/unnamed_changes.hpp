// unnamed_changes: what a record may have changed without naming it, where ingest has failed.
#pragma once

#include <vector>

#include "storage/base/key_pattern.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::redo {

/// Every key besides the pages that the record refers to which ingest might have put something
/// under, had it not failed: all that records of its kind change, narrowed to the relation or
/// database where the record can be read that far. Takes any record. Of an extension's record
/// nothing is known but the pages that it refers to.
std::vector<key_pattern> unnamed_changes(const pg::record& record);

}  // namespace zenith::redo
