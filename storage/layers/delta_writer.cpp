// Writing a delta layer: entries as they are stored, and what the manifest will say of the file.
#include <fmt/format.h>

#include <array>

#include "storage/io/durable_file.hpp"
#include "storage/layers/delta_key.hpp"
#include "storage/layers/delta_layer.hpp"

namespace zenith::layers {
namespace {

/// What stands in front of an entry's data (delta_layer.hpp): at most a copy's source and LSN.
struct value_head {
  std::array<std::byte, 1 + encoded_key_size_bytes + 8> data;
  size_t size_bytes = 1;

  template <class T>
  void put(const T& value) {
    store(data.data() + size_bytes, value);
    size_bytes += sizeof(T);
  }
  byte_view view() const { return byte_view(data).first(size_bytes); }
};

/// Error: invalid_argument.
result<value_head> head_of(const version_entry& entry) {
  value_head head;
  head.data[0] = static_cast<std::byte>(entry.kind);
  switch (entry.kind) {
    case version_kind::changes:
    case version_kind::initialises:
      if (entry.record_start >= entry.at || entry.at - entry.record_start > UINT32_MAX)
        return fail(errc::invalid_argument,
                    fmt::format("a record from {} to {} has no size that can be stored",
                                to_string(entry.record_start), to_string(entry.at)));
      head.put(static_cast<uint32_t>(entry.at - entry.record_start));
      return head;
    case version_kind::value:
    case version_kind::absent:
      return head;
    case version_kind::copy:
      head.put(encode(entry.source));
      head.put(entry.source_at.value());
      return head;
  }
  return fail(errc::invalid_argument,
              fmt::format("a version is of kind {}", static_cast<int>(entry.kind)));
}

}  // namespace

result<delta_writer> delta_writer::create(file_system& files, const path& file,
                                          const layer_name& name, lsn after, lsn last,
                                          int compression_level, const block_file_sizes& sizes) {
  ZENITH_TRY(create_directories_durably(files, file.parent_path()));
  block_file_description description;
  description.content = block_file_content::delta_layer;
  description.key_size_bytes = delta_key_size_bytes;
  description.first = after;
  description.last = last;
  description.filter_key_bytes = encoded_key_size_bytes;
  ZENITH_TRY_ASSIGN(auto out,
                    block_file_writer::create(files, file, description, compression_level, sizes));
  layer_file_info info;
  info.name = name;
  info.after = after;
  info.last = last;
  return delta_writer(std::move(out), std::move(info));
}

result<void> delta_writer::add(const version_entry& entry) {
  if (entry.at <= info_.after || entry.at > info_.last)
    return fail(errc::invalid_argument,
                fmt::format("{}: a version of {} at {} lies outside of {} to {}",
                            file_name_of(info_.name), to_string(entry.k), to_string(entry.at),
                            to_string(info_.after), to_string(info_.last)));
  ZENITH_TRY_ASSIGN(const value_head head, head_of(entry));
  const bool has_data = entry.is_record() || entry.kind == version_kind::value;
  const byte_view data = has_data ? entry.data : byte_view{};
  const bool is_new = info_.entries == 0 || info_.last_key != entry.k;
  const encoded_key k = is_new ? encode(entry.k) : last_key_;
  ZENITH_TRY(out_.add(encode_delta_key(k, entry.at), head.view(), data));
  if (is_new) {
    if (info_.entries == 0) info_.first_key = entry.k;
    ++info_.keys;
    info_.last_key = entry.k;
    last_key_ = k;
  }
  ++info_.entries;
  if (entry.kind == version_kind::copy) info_.copied_at.push_back(entry.source_at);
  return {};
}

result<layer_file_info> delta_writer::finish() {
  if (info_.entries == 0)
    return fail(errc::invalid_argument,
                fmt::format("{}: a delta layer of nothing", file_name_of(info_.name)));
  ZENITH_TRY_ASSIGN(info_.size_bytes, out_.finish());
  std::ranges::sort(info_.copied_at);
  auto& all = info_.copied_at;
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return info_;
}

}  // namespace zenith::layers
