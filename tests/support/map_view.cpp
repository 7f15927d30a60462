// Views over a map, WAL from a folder.
#include "tests/support/map_view.hpp"

#include <fstream>
#include <stdexcept>

#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {

imported_map import_to_map(const std::filesystem::path& data_directory) {
  imported_map imported;
  imported.layer = std::make_shared<map_layer>();
  auto& values = imported.layer->values;
  auto cluster = backup::import_directory(
      posix_file_system(), data_directory, [&](const key& k, byte_view value) -> result<void> {
        if (!values.empty() && k <= values.rbegin()->first)
          return fail(errc::invalid_argument, to_string(k) + " comes out of order");
        values.emplace_hint(values.end(), k, bytes{value.begin(), value.end()});
        return {};
      });
  if (!cluster) throw std::runtime_error("the import failed: " + cluster.error().message);
  imported.cluster = std::move(*cluster);
  imported.layer->at = imported.cluster.base;
  return imported;
}

result<void> folder_wal::read(lsn at, byte_span into) const {
  if (at < from_ || at + into.size() > until_) return fail(errc::out_of_range, "not kept");
  while (!into.empty()) {
    const uint64_t offset = at.value() % segment_size_bytes_;
    const byte_span part =
        into.first(std::min<uint64_t>(into.size(), segment_size_bytes_ - offset));
    const auto name = folder_ / pg::segment_file_name(timeline_, at.value() / segment_size_bytes_,
                                                      segment_size_bytes_);
    std::ifstream in(name, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(offset));
    in.read(reinterpret_cast<char*>(part.data()), static_cast<std::streamsize>(part.size()));
    if (!in) return fail(errc::io, "cannot read " + name.string());
    at = at + part.size();
    into = into.subspan(part.size());
  }
  return {};
}

folder_wal wal_of(const imported_map& imported, const std::filesystem::path& data_directory) {
  const uint32_t segment = imported.cluster.segment_size_bytes;
  return {data_directory / "pg_wal", imported.cluster.timeline, segment,
          pg::segment_start(imported.cluster.last_record, segment), imported.cluster.base};
}

}  // namespace zenith::testing
