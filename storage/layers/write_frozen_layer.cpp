// Writing a frozen layer: each version once, pages for the images that records bring.
#include "storage/layers/delta_layer.hpp"
#include "storage/layers/layer_writes.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/stored_record.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::layers {
namespace {

/// Whether the page that a record leaves begins with an image that it brings. That of a visibility
/// map is asked for later (view::first_image), so there the record stays.
bool brings_image(const pg::record& record, const key& k) {
  if (k.kind != key_kind::relation_block || k.relation_fork() == fork_number::vm) return false;
  for (const pg::block_reference& block : record.blocks())
    if (block.has_image && block.image.apply && block.page_key() == k) return true;
  return false;
}

/// Makes of versions what is stored of them.
class version_shortener {
 public:
  explicit version_shortener(page_checksums checksums) : checksums_(checksums) {}

  /// What the version refers to afterwards is valid until the next call.
  void shorten(version_entry& v) {
    if (!v.is_record() || v.is_short || !pg::decode_record(v.data, v.record_start, v.at, record_))
      return;
    if (brings_image(record_, v.k) && make_page(v.k)) {
      v.kind = version_kind::value;
      v.record_start = {};
      v.data = page_.view();
      return;
    }
    pg::encode_for_page(record_, v.k, shorter_);
    v.data = shorter_;
  }

 private:
  bool make_page(const key& k) {
    page_.data.fill(std::byte{0});
    if (!redo::apply(record_, k, page_)) return false;
    if (checksums_ == page_checksums::on) pg::set_page_checksum(page_, k.d);
    return true;
  }

  const page_checksums checksums_;
  pg::record record_;
  page page_;
  bytes shorter_;
};

}  // namespace

result<written_layers> write_frozen_layer(const memory_layer& frozen, const layer_output& out,
                                          const layer_limits& limits) {
  const auto cursor = frozen.cursor();
  version_entry one;
  ZENITH_TRY_ASSIGN(bool more, cursor->next(one));
  written_layers written;
  if (!more) return written;
  const layer_name name = out.next_name();
  version_shortener shortener(out.checksums);
  const auto write_all = [&]() -> result<layer_file_info> {
    ZENITH_TRY_ASSIGN(
        auto writer,
        delta_writer::create(out.files->files(), out.files->path_of(name), name, frozen.start(),
                             frozen.published(), limits.flush_compression_level));
    while (more) {
      shortener.shorten(one);
      ZENITH_TRY(writer.add(one));
      ZENITH_TRY_ASSIGN(more, cursor->next(one));
    }
    return writer.finish();
  };
  auto file_written = write_all();
  // A full disk has no room for what never counts.
  if (!file_written) static_cast<void>(out.files->files().remove(out.files->path_of(name)));
  ZENITH_TRY_ASSIGN(auto file, std::move(file_written));
  written.bytes_written = file.size_bytes;
  written.files.push_back(std::move(file));
  return written;
}

}  // namespace zenith::layers
