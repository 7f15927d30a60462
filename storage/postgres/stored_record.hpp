// stored_record: a WAL record as layer files keep it for one page.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::pg {

/// Writes a decoded record anew, as short as it can be: without images but those of the key's own
/// page that are to be applied (of any page of the fork where it names all blocks), and with zeros
/// for its CRC and the link to the record before it, which a record that lies in a file's checked
/// block does not need. decode_record takes it as the same record, and redo of the key's page,
/// which looks at no other image, does the same with it.
void encode_for_page(const record& r, const key& k, bytes& into);

/// Whether encode_for_page leaves nothing out, whatever the key, but the CRC and the link: where
/// the record has no image.
bool keeps_all(const record& r);
/// Puts zeros in their place in a whole raw record.
void clear_crc_and_link(byte_span raw);

}  // namespace zenith::pg
