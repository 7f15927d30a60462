// Layer files: each block by its own checksum, then the entries.
#include <fmt/format.h>

#include <algorithm>

#include "storage/layers/block_file.hpp"
#include "storage/layers/block_file_format.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/layers/transaction_end.hpp"
#include "storage/repository/check_parts.hpp"

namespace zenith::repository {
namespace {

using layers::block_file_footer;
using layers::block_file_header;
using layers::block_header;

template <class T>
uint32_t crc_of(const T& frame) {
  return crc32c(byte_view(reinterpret_cast<const std::byte*>(&frame), sizeof(T)).subspan(8));
}

/// Goes through a block file's blocks as they lie in it.
class block_walk {
 public:
  block_walk(check_findings& found, const path& name, const file& from, uint64_t size_bytes)
      : found_(found), name_(name), file_(from), size_(size_bytes) {}

  void run() {
    constexpr uint64_t frames = sizeof(block_file_header) + sizeof(block_file_footer);
    if (size_ < frames)
      return damaged(0,
                     fmt::format("it has {} bytes, a block file has {} at least", size_, frames));
    block_file_header header{};
    if (!read(0, header)) return;
    if (header.magic != layers::header_magic || header.crc != crc_of(header))
      damaged(0, fmt::format("the header's checksum is {:08X}, expected {:08X}", header.crc,
                             crc_of(header)));
    block_file_footer footer{};
    end_ = size_ - sizeof footer;
    if (!read(end_, footer)) return;
    if (footer.magic != layers::footer_magic || footer.crc != crc_of(footer))
      damaged(end_, fmt::format("the footer's checksum is {:08X}, expected {:08X}: the file is "
                                "damaged there or was cut off",
                                footer.crc, crc_of(footer)));
    else if (footer.file_bytes != size_)
      damaged(end_, fmt::format("the file has {} bytes, expected {}", size_, footer.file_bytes));
    walk_blocks();
  }

 private:
  void walk_blocks() {
    for (uint64_t at = sizeof(block_file_header); at < end_;) {
      if (const auto size = block_at(at)) {
        at += *size;
        continue;
      }
      damaged(at, problem_);
      // A damaged block may not even say where the next one begins.
      do ++at;
      while (at < end_ && !block_at(at));
    }
  }

  /// The size of the block at an offset; nullopt where there is none, and problem_ says why.
  std::optional<uint64_t> block_at(uint64_t at) {
    block_header header{};
    if (end_ - at < sizeof header) {
      problem_ =
          fmt::format("{} bytes are left, a block has {} at least", end_ - at, sizeof header);
      return std::nullopt;
    }
    if (!read(at, header)) return std::nullopt;
    const uint64_t left = end_ - at - sizeof header;
    if (header.stored_bytes > left || header.stored_bytes > layers::block_limit_bytes ||
        header.compression > layers::compression_lz4) {
      problem_ = fmt::format("a block of {} bytes, compression {}, where {} bytes are left",
                             header.stored_bytes, header.compression, left);
      return std::nullopt;
    }
    raw_.resize(sizeof header + header.stored_bytes);
    if (const auto done = file_.read(at, raw_); !done) {
      problem_ = done.error().message;
      return std::nullopt;
    }
    const uint32_t crc = crc32c(byte_view(raw_).subspan(4));
    if (crc == header.crc) return raw_.size();
    problem_ = fmt::format("the block's checksum is {:08X}, expected {:08X}", crc, header.crc);
    return std::nullopt;
  }

  template <class T>
  bool read(uint64_t at, T& into) {
    const auto done = file_.read(at, {reinterpret_cast<std::byte*>(&into), sizeof into});
    if (!done) damaged(at, problem_ = done.error().message);
    return done.has_value();
  }
  void damaged(uint64_t at, std::string problem) { found_.damaged(name_, at, std::move(problem)); }

  check_findings& found_;
  const path& name_;
  const file& file_;
  const uint64_t size_;
  uint64_t end_ = 0;  // of the blocks
  bytes raw_;
  std::string problem_;
};

/// Every version, by the index: what checksums cannot tell.
result<void> read_versions(layers::layer_files& registry, const layers::layer_file_info& info) {
  ZENITH_TRY_ASSIGN(const auto cursor,
                    registry.cursor(info, info.first_key, info.last_key, lsn::max()));
  layers::version_entry entry;
  uint64_t entries = 0;
  for (;;) {
    ZENITH_TRY_ASSIGN(const bool more, cursor->next(entry));
    if (!more) break;
    ++entries;
    // Whole, whatever slices of the file count: a batch that cannot be cut cannot be read either.
    if (entry.k.kind == key_kind::transaction_ends && entry.kind == layers::version_kind::value)
      ZENITH_TRY(layers::decode_transaction_ends(entry.data));
  }
  if (entries != info.entries)
    return fail(errc::corrupt,
                fmt::format("it has {} versions, its manifest says {}", entries, info.entries));
  return {};
}

result<void> read_image(file_system& files, const path& name) {
  ZENITH_TRY_ASSIGN(const auto image, layers::image_layer::open(files, name));
  return image->verify();
}

}  // namespace

void check_block_file(check_findings& found, const path& name) {
  const auto opened = found.open(name);
  if (!opened) return;
  const auto size = opened->size_bytes();
  if (!size) return found.damaged(name, 0, size.error().message);
  block_walk(found, name, *opened, *size).run();
}

void check_layer_file(check_findings& found, layers::layer_files& registry, const path& name,
                      const layers::layer_file_info* info) {
  const size_t before = found.damages();
  check_block_file(found, name);
  if (found.damages() != before) return;
  const auto read = info != nullptr && info->name.number != 0 ? read_versions(registry, *info)
                                                              : read_image(found.files(), name);
  if (!read && read.error().code != errc::not_found) found.damaged(name, 0, read.error().message);
}

}  // namespace zenith::repository
