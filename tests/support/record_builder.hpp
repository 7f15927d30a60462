// record_builder: raw WAL records for tests, written byte by byte as xlogrecord.h lays them out.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::testing {

/// The bits of XLogRecordBlockImageHeader.bimg_info.
enum image_bits : uint8_t {
  image_has_hole = 0x01,
  image_apply = 0x02,
  image_pglz = 0x04,
  image_lz4 = 0x08,
  image_zstd = 0x10
};

/// Builds one record: blocks in the order of their ids, then finish() gives its bytes, CRC set.
class record_builder {
 public:
  struct image {
    bytes data;
    uint16_t hole_offset = 0;
    uint16_t hole_length = 0;
    uint8_t info = 0;
  };
  struct block {
    uint8_t id = 0;
    relation_id relation{1663, 5, 16384};
    fork_number fork = fork_number::main;
    block_number number = 0;
    bool same_relation = false;
    bool will_init = false;
    std::optional<image> full_page = std::nullopt;
    bytes data = {};
  };

  record_builder(pg::resource_manager rmgr, uint8_t info, uint32_t xid = 0, lsn previous = {})
      : rmgr_(rmgr), info_(info), xid_(xid), previous_(previous) {}

  record_builder& add(const block& b) {
    put<uint8_t>(b.id);
    put(static_cast<uint8_t>(static_cast<uint8_t>(b.fork) | (b.full_page ? 0x10 : 0) |
                             (b.data.empty() ? 0 : 0x20) | (b.will_init ? 0x40 : 0) |
                             (b.same_relation ? 0x80 : 0)));
    put(static_cast<uint16_t>(b.data.size()));
    if (b.full_page) {
      put(static_cast<uint16_t>(b.full_page->data.size()));
      put(b.full_page->hole_offset);
      put(b.full_page->info);
      const bool compressed = (b.full_page->info & (image_pglz | image_lz4 | image_zstd)) != 0;
      if (compressed && (b.full_page->info & image_has_hole)) put(b.full_page->hole_length);
      append(payload_, b.full_page->data);
    }
    if (!b.same_relation) {
      put(b.relation.tablespace);
      put(b.relation.database);
      put(b.relation.relfilenode);
    }
    put(b.number);
    append(payload_, b.data);
    return *this;
  }
  record_builder& origin(uint16_t id) {
    put<uint8_t>(253);
    put(id);
    return *this;
  }
  record_builder& toplevel_xid(uint32_t xid) {
    put<uint8_t>(252);
    put(xid);
    return *this;
  }
  /// At most once, after everything else.
  record_builder& main_data(byte_view data) {
    if (data.size() < 256) {
      put<uint8_t>(255);
      put(static_cast<uint8_t>(data.size()));
    } else {
      put<uint8_t>(254);
      put(static_cast<uint32_t>(data.size()));
    }
    append(payload_, data);
    return *this;
  }

  bytes finish() const {
    bytes raw(24);
    append(raw, headers_);
    append(raw, payload_);
    store(raw.data(), static_cast<uint32_t>(raw.size()));
    store(raw.data() + 4, xid_);
    store(raw.data() + 8, previous_.value());
    store(raw.data() + 16, info_);
    store(raw.data() + 17, static_cast<uint8_t>(rmgr_));
    set_crc(raw);
    return raw;
  }
  /// Makes the CRC agree with bytes that a test has changed.
  static void set_crc(bytes& raw) {
    const byte_view view = raw;
    const uint32_t state = crc32c_feed(crc32c_start, view.subspan(24));
    store(raw.data() + 20, crc32c_finish(crc32c_feed(state, view.first(20))));
  }

 private:
  static void append(bytes& to, byte_view from) { to.insert(to.end(), from.begin(), from.end()); }
  template <class T>
  void put(T value) {
    const size_t at = headers_.size();
    headers_.resize(at + sizeof(T));
    store(headers_.data() + at, value);
  }

  pg::resource_manager rmgr_;
  uint8_t info_;
  uint32_t xid_;
  lsn previous_;
  bytes headers_;
  bytes payload_;
};

}  // namespace zenith::testing
