// zenith layer dump.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/text.hpp"
#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/layers/stored_version.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::cli {
namespace {

using layers::block_file_content;
using layers::block_file_reader;
using layers::version_entry;
using layers::version_kind;

const key last_key{key_kind::transaction_ends, ~0u, ~0u, ~0u, 3, ~0u};

/// One of the two kinds, open.
struct opened_layer {
  layers::block_cache cache{size_t{8} << 20};
  std::shared_ptr<const layers::delta_layer> delta;
  std::shared_ptr<const layers::image_layer> image;

  result<void> open(const path& name) {
    file_system& files = posix_file_system();
    ZENITH_TRY_ASSIGN(const auto content, block_file_reader::content_of(files, name));
    const uint64_t number = block_file_reader::new_cache_file();
    if (content == block_file_content::delta_layer) {
      ZENITH_TRY_ASSIGN(delta, layers::delta_layer::open(files, name, cache, number));
    } else {
      ZENITH_TRY_ASSIGN(image, layers::image_layer::open(files, name, cache, number));
    }
    return {};
  }
  const block_file_reader& file() const { return delta ? delta->file() : image->file(); }
  std::unique_ptr<layers::version_cursor> cursor() const {
    return delta ? delta->cursor(key{}, last_key, lsn::max())
                 : image->cursor(key{}, last_key, lsn::max());
  }
};

const char* name_of(version_kind kind) {
  switch (kind) {
    case version_kind::changes:
      return "changes";
    case version_kind::initialises:
      return "initialises";
    case version_kind::value:
      return "value";
    case version_kind::absent:
      return "absent";
    case version_kind::copy:
      return "copy";
  }
  return "unknown";
}

/// "Heap/INSERT", as pg_waldump names it; empty for what is no record.
std::string record_of(const version_entry& entry) {
  if (!entry.is_record()) return "";
  pg::record decoded;
  if (!pg::decode_record(entry.data, entry.record_start, entry.at, decoded))
    return "(does not decode)";
  return pg::resource_manager_name(decoded.rmgr) + "/" +
         pg::record_name(decoded.rmgr, decoded.info);
}

/// What is shown: columns for people, and the same as JSON.
struct listing {
  std::vector<column> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<json> values;
};

constexpr auto right = column::side::right;

result<listing> list_versions(const opened_layer& layer) {
  listing all{{{"key"}, {"lsn"}, {"kind"}, {"bytes", right}, {"what"}}, {}, {}};
  const auto cursor = layer.cursor();
  for (version_entry entry;;) {
    ZENITH_TRY_ASSIGN(const bool is_there, cursor->next(entry));
    if (!is_there) return all;
    const std::string record = record_of(entry);
    const bool is_copy = entry.kind == version_kind::copy;
    const std::string source = is_copy ? to_string(entry.source) : "";
    std::string what = record;
    if (entry.is_record()) what += " from " + to_string(entry.record_start);
    if (is_copy) what = "of " + source + " at " + to_string(entry.source_at);
    all.rows.push_back({to_string(entry.k), to_string(entry.at), name_of(entry.kind),
                        std::to_string(entry.data.size()), what});
    all.values.push_back(json::object(
        {{"key", to_string(entry.k)},
         {"lsn", to_string(entry.at)},
         {"kind", name_of(entry.kind)},
         {"bytes", entry.data.size()},
         {"record", text_or_null(record)},
         {"record_start", text_or_null(entry.is_record() ? to_string(entry.record_start) : "")},
         {"source", text_or_null(source)},
         {"source_lsn", text_or_null(is_copy ? to_string(entry.source_at) : "")}}));
  }
}

/// Versions of one key.
struct key_sum {
  key k;
  lsn newest;
  lsn oldest;
  uint64_t versions = 0;
  uint64_t size_bytes = 0;
};

result<listing> list_keys(const opened_layer& layer) {
  listing all{{{"key"}, {"versions", right}, {"newest"}, {"oldest"}, {"bytes", right}}, {}, {}};
  const auto put = [&](const key_sum& sum) {
    if (sum.versions == 0) return;
    all.rows.push_back({to_string(sum.k), std::to_string(sum.versions), to_string(sum.newest),
                        to_string(sum.oldest), std::to_string(sum.size_bytes)});
    all.values.push_back(json::object({{"key", to_string(sum.k)},
                                       {"versions", sum.versions},
                                       {"newest", to_string(sum.newest)},
                                       {"oldest", to_string(sum.oldest)},
                                       {"bytes", sum.size_bytes}}));
  };
  const auto cursor = layer.cursor();
  key_sum sum;
  for (version_entry entry;;) {
    ZENITH_TRY_ASSIGN(const bool is_there, cursor->next(entry));
    if (!is_there || sum.versions == 0 || entry.k != sum.k) {
      put(sum);
      if (!is_there) return all;
      sum = {entry.k, entry.at};
    }
    ++sum.versions;
    sum.oldest = entry.at;
    sum.size_bytes += entry.data.size();
  }
}

/// Calls back for every block but the root.
result<void> visit_all(const block_file_reader& file,
                       const std::function<bool(const block_file_reader::block_visit&)>& each) {
  const size_t size = file.description().key_size_bytes;
  return file.visit(bytes(size), bytes(size, std::byte{0xFF}), each);
}

result<listing> list_blocks(const opened_layer& layer) {
  listing all{{{"offset", right}, {"bytes", right}, {"block"}, {"first key"}}, {}, {}};
  result<void> outcome;
  ZENITH_TRY(visit_all(layer.file(), [&](const block_file_reader::block_visit& block) {
    const auto k = decode_key(block.first_key.first(encoded_key_size_bytes));
    if (!k) {
      outcome = layer.file().damaged(block.place.offset, k.error().message);
      return false;
    }
    const std::string what = block.height == 0 ? "data" : fmt::format("index {}", block.height);
    all.rows.push_back({std::to_string(block.place.offset), std::to_string(block.place.size_bytes),
                        what, to_string(*k)});
    all.values.push_back(json::object({{"offset", block.place.offset},
                                       {"bytes", block.place.size_bytes},
                                       {"height", block.height},
                                       {"first_key", to_string(*k)}}));
    return true;
  }));
  ZENITH_TRY(outcome);
  return all;
}

/// What the file's frame and index say.
struct figures {
  uint64_t data_bytes = 0;
  uint64_t index_blocks = 1;  // the root
  uint64_t index_bytes = 0;   // of the others
};

result<figures> count_blocks(const block_file_reader& file) {
  figures sum;
  ZENITH_TRY(visit_all(file, [&](const block_file_reader::block_visit& block) {
    if (block.height == 0) {
      sum.data_bytes += block.place.size_bytes;
    } else {
      ++sum.index_blocks;
      sum.index_bytes += block.place.size_bytes;
    }
    return true;
  }));
  return sum;
}

std::string header_text(const block_file_reader& file, const figures& sum) {
  const auto& says = file.description();
  const bool is_delta = says.content == block_file_content::delta_layer;
  const uint64_t rest = file.size_bytes() - sum.data_bytes;
  const std::string range =
      is_delta ? fmt::format("after {} up to {}", to_string(says.first), to_string(says.last))
               : "as of " + to_string(says.first);
  return fmt::format(
      "{} layer, format version {}\n"
      "versions  {}, {}\n"
      "size      {}\n"
      "data      {} blocks, {}\n"
      "index     {} blocks, {} levels below the root; {} with header and footer{}\n\n",
      is_delta ? "delta" : "image", file.format_version(), file.entries(), range,
      shown_size(file.size_bytes()), file.blocks(), shown_size(sum.data_bytes), sum.index_blocks,
      file.index_levels(), shown_size(rest),
      says.filter_key_bytes == 0 ? "" : ", filters included");
}

}  // namespace

result<answer> run_layer_dump(const command_line& line) {
  opened_layer layer;
  ZENITH_TRY(layer.open(line.file));
  const block_file_reader& file = layer.file();
  ZENITH_TRY_ASSIGN(const figures sum, count_blocks(file));
  ZENITH_TRY_ASSIGN(const listing all, line.keys     ? list_keys(layer)
                                       : line.blocks ? list_blocks(layer)
                                                     : list_versions(layer));
  const auto& says = file.description();
  answer done{
      json::object({{"kind", says.content == block_file_content::delta_layer ? "delta" : "image"},
                    {"format_version", file.format_version()},
                    {"first_lsn", to_string(says.first)},
                    {"last_lsn", to_string(says.last)},
                    {"size_bytes", file.size_bytes()},
                    {"entries", file.entries()},
                    {"data_blocks", file.blocks()},
                    {"data_bytes", sum.data_bytes},
                    {"index_blocks", sum.index_blocks},
                    {"index_levels", file.index_levels()},
                    {"filters", says.filter_key_bytes != 0},
                    {line.keys     ? "keys"
                     : line.blocks ? "blocks"
                                   : "versions",
                     json::array(all.values)}})};
  done.text = header_text(file, sum) + table(all.columns, all.rows);
  return done;
}

}  // namespace zenith::cli
