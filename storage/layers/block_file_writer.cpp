// Writing a block file: blocks as they fill, then index and footer.
#include <fmt/format.h>
#include <zstd.h>

#include "storage/layers/block_file.hpp"
#include "storage/layers/block_file_format.hpp"

namespace zenith::layers {

block_file_writer::block_file_writer(file_system& files, path name, std::unique_ptr<file> out,
                                     const block_file_description& description, int level)
    : files_(&files),
      name_(std::move(name)),
      file_(std::move(out)),
      description_(description),
      level_(level) {}

result<block_file_writer> block_file_writer::create(file_system& files, const path& name,
                                                    const block_file_description& description,
                                                    int compression_level) {
  ZENITH_TRY_ASSIGN(auto out, files.open(name, open_mode::create_new));
  block_file_header header{};
  header.magic = header_magic;
  header.format_version = block_file_format_version;
  header.content = static_cast<uint32_t>(description.content);
  header.key_size_bytes = description.key_size_bytes;
  header.first_lsn = description.first.value();
  header.last_lsn = description.last.value();
  header.crc = crc32c(view_of(header).subspan(8));
  ZENITH_TRY(out->write(0, view_of(header)));
  block_file_writer writer(files, name, std::move(out), description, compression_level);
  writer.offset_ = sizeof header;
  return writer;
}

result<void> block_file_writer::add(byte_view key, byte_view value) {
  if (key.size() != description_.key_size_bytes)
    return fail(errc::invalid_argument,
                fmt::format("{}: a key has {} bytes, expected {}", name_.string(), key.size(),
                            description_.key_size_bytes));
  if (value.size() > value_limit_bytes)
    return fail(errc::invalid_argument,
                fmt::format("{}: a value has {} bytes, more than {}", name_.string(), value.size(),
                            size_t{value_limit_bytes}));
  if (entries_ != 0 && compare(last_key_, key) >= 0)
    return fail(errc::invalid_argument, fmt::format("{}: entry {} is not behind the one before it",
                                                    name_.string(), entries_ + 1));
  const size_t open_bytes = open_.keys.size() + open_.values.size();
  if (!open_.ends.empty() && open_bytes + key.size() + value.size() > block_target_bytes)
    ZENITH_TRY(flush_block());
  open_.keys.insert(open_.keys.end(), key.begin(), key.end());
  open_.values.insert(open_.values.end(), value.begin(), value.end());
  open_.ends.push_back(static_cast<uint32_t>(open_.values.size()));
  last_key_.assign(key.begin(), key.end());
  ++entries_;
  return {};
}

result<void> block_file_writer::flush_block() {
  const uint64_t offset = offset_;
  index_.keys.insert(index_.keys.end(), open_.keys.begin(),
                     open_.keys.begin() + description_.key_size_bytes);
  ZENITH_TRY_ASSIGN(const uint64_t stored, write_block(open_));
  const block_place place{offset, static_cast<uint32_t>(stored), 0};
  const byte_view value = view_of(place);
  index_.values.insert(index_.values.end(), value.begin(), value.end());
  index_.ends.push_back(static_cast<uint32_t>(index_.values.size()));
  return {};
}

/// Writes it at the end of the file and empties it. Gives the bytes written.
result<uint64_t> block_file_writer::write_block(pending_block& block) {
  const auto count = static_cast<uint32_t>(block.ends.size());
  bytes unpacked;
  unpacked.reserve(sizeof count + block.keys.size() + 4 * block.ends.size() + block.values.size());
  const auto append = [&](byte_view part) {
    unpacked.insert(unpacked.end(), part.begin(), part.end());
  };
  append(view_of(count));
  append(block.keys);
  append(std::as_bytes(std::span(block.ends)));
  append(block.values);
  if (unpacked.size() > block_limit_bytes)
    return fail(errc::limit, fmt::format("{}: a block of {} bytes is more than {}", name_.string(),
                                         unpacked.size(), block_limit_bytes));

  bytes out(sizeof(block_header) + ZSTD_compressBound(unpacked.size()));
  size_t stored =
      ZSTD_compress(out.data() + sizeof(block_header), out.size() - sizeof(block_header),
                    unpacked.data(), unpacked.size(), level_);
  block_header header{};
  header.compression = compression_zstd;
  if (ZSTD_isError(stored) || stored >= unpacked.size()) {
    header.compression = compression_none;
    stored = unpacked.size();
    std::copy(unpacked.begin(), unpacked.end(), out.begin() + sizeof(block_header));
  }
  header.stored_bytes = static_cast<uint32_t>(stored);
  header.unpacked_bytes = static_cast<uint32_t>(unpacked.size());
  out.resize(sizeof header + stored);
  store(out.data(), header);
  header.crc = crc32c(byte_view(out).subspan(4));
  store(out.data(), header);
  ZENITH_TRY(file_->write(offset_, out));
  offset_ += out.size();
  block.keys.clear();
  block.ends.clear();
  block.values.clear();
  return out.size();
}

result<uint64_t> block_file_writer::finish() {
  if (!open_.ends.empty()) ZENITH_TRY(flush_block());
  block_file_footer footer{};
  footer.magic = footer_magic;
  footer.blocks = index_.ends.size();
  footer.entries = entries_;
  footer.index_offset = offset_;
  ZENITH_TRY_ASSIGN(const uint64_t index_bytes, write_block(index_));
  footer.index_bytes = static_cast<uint32_t>(index_bytes);
  footer.file_bytes = offset_ + sizeof footer;
  footer.crc = crc32c(view_of(footer).subspan(8));
  ZENITH_TRY(file_->write(offset_, view_of(footer)));
  ZENITH_TRY(file_->sync());
  ZENITH_TRY(files_->sync_directory(name_.parent_path().empty() ? path(".") : name_.parent_path()));
  return footer.file_bytes;
}

}  // namespace zenith::layers
