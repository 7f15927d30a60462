// Manifests as JSON text, and their files.
#include "storage/layers/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "storage/io/durable_file.hpp"
#include "storage/io/object_reader.hpp"

namespace zenith::layers {
namespace {

using nlohmann::json;

constexpr uint64_t format_version = 1;
constexpr uint64_t bytes_max = uint64_t{1} << 60;
constexpr std::array kind_names{"delta", "image"};  // by layer_kind
// By errc, from 1 on.
constexpr std::array error_names{"corrupt",  "io",           "not_found",   "already_exists",
                                 "invalid",  "out_of_range", "not_arrived", "unsupported",
                                 "conflict", "unavailable",  "limit"};

using text = std::back_insert_iterator<std::string>;

std::string key_text(const key& k) {
  return fmt::format("{}/{}/{}/{}/{}/{}", static_cast<unsigned>(k.kind), k.a, k.b, k.c, k.fork,
                     k.d);
}

result<key> parse_key(std::string_view given) {
  std::array<uint32_t, 6> numbers{};
  const char* at = given.data();
  const char* const end = at + given.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto [rest, failure] = std::from_chars(at, end, numbers[i]);
    const bool goes_on = rest != end && *rest == '/';
    if (failure != std::errc{} || (i + 1 < numbers.size() ? !goes_on : rest != end))
      return fail(errc::corrupt, fmt::format("'{}' is not a key", given));
    at = rest + (goes_on ? 1 : 0);
  }
  if (numbers[0] > UINT8_MAX || numbers[4] > UINT8_MAX)
    return fail(errc::corrupt, fmt::format("'{}' is not a key", given));
  const key k{static_cast<key_kind>(numbers[0]), numbers[1], numbers[2], numbers[3],
              static_cast<uint8_t>(numbers[4]),  numbers[5]};
  return decode_key(encode(k));
}

// Encoding.

void put_lsns(text out, const std::vector<lsn>& all) {
  for (size_t i = 0; i < all.size(); ++i)
    fmt::format_to(out, "{}\"{}\"", i == 0 ? "" : ",", zenith::to_string(all[i]));
}

void put_slice(text out, const layer_slice& slice, size_t timeline) {
  const layer_file_info& file = slice.file;
  fmt::format_to(out,
                 R"({{"timeline":{},"number":{},"kind":"{}","first":"{}","last":"{}",)"
                 R"("after":"{}","until":"{}","bytes":{},"entries":{},"keys":{})",
                 timeline, file.name.number, kind_names[static_cast<size_t>(file.name.kind)],
                 key_text(file.first_key), key_text(file.last_key), zenith::to_string(file.after),
                 zenith::to_string(file.last), file.size_bytes, file.entries, file.keys);
  if (!file.copied_at.empty()) {
    fmt::format_to(out, R"(,"copied_at":[)");
    put_lsns(out, file.copied_at);
    fmt::format_to(out, "]");
  }
  if (file.collected_to.is_valid() || file.collected_points != 0)
    fmt::format_to(out, R"(,"collected_to":"{}","collected_points":{})",
                   zenith::to_string(file.collected_to), file.collected_points);
  if (slice.first != file.first_key || slice.last != file.last_key || slice.until != file.last)
    fmt::format_to(out, R"(,"part":{{"first":"{}","last":"{}","until":"{}"}})",
                   key_text(slice.first), key_text(slice.last), zenith::to_string(slice.until));
  fmt::format_to(out, "}}");
}

std::vector<timeline_id> timelines_of(const layer_map& map) {
  std::vector<timeline_id> all;
  for (const layer_level& level : map.levels())
    for (const layer_slice& slice : level)
      if (all.empty() || all.back() != slice.file.name.timeline)
        all.push_back(slice.file.name.timeline);
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void put_levels(text out, const layer_map& map, const std::vector<timeline_id>& timelines) {
  for (unsigned i = 0; i < layer_map::level_count; ++i) {
    fmt::format_to(out, "{}\n    [", i == 0 ? "" : ",");
    for (size_t j = 0; j < map.levels()[i].size(); ++j) {
      const layer_slice& slice = map.levels()[i][j];
      fmt::format_to(out, "{}\n      ", j == 0 ? "" : ",");
      const auto found = std::ranges::lower_bound(timelines, slice.file.name.timeline);
      put_slice(out, slice, static_cast<size_t>(found - timelines.begin()));
    }
    fmt::format_to(out, "]");
  }
}

void put_unknowns(text out, const std::vector<unknown_state>& unknowns) {
  const auto field = [&](const char* name, const auto& value) {
    if (value) fmt::format_to(out, R"("{}":{},)", name, *value);
  };
  for (size_t i = 0; i < unknowns.size(); ++i) {
    const unknown_state& one = unknowns[i];
    // What a message quotes need not be UTF-8.
    const std::string message =
        json(one.why.message).dump(-1, ' ', true, json::error_handler_t::replace);
    fmt::format_to(out, R"({}
    {{"kind":{},)",
                   i == 0 ? "" : ",", static_cast<unsigned>(one.keys.kind));
    field("a", one.keys.a);
    field("b", one.keys.b);
    field("c", one.keys.c);
    field("fork", one.keys.fork);
    fmt::format_to(out, R"("at":"{}","error":"{}","why":{}}})", zenith::to_string(one.at),
                   error_names.at(static_cast<size_t>(one.why.code) - 1), message);
  }
}

void put_places(text out, const std::vector<std::optional<key>>& places) {
  for (size_t i = 0; i < places.size(); ++i) {
    const std::string place = places[i] ? fmt::format("\"{}\"", key_text(*places[i])) : "null";
    fmt::format_to(out, "{}{}", i == 0 ? "" : ", ", place);
  }
}

// Decoding.

json take_list(object_reader& in, const char* field, size_t size_min = 0,
               size_t size_max = SIZE_MAX) {
  json list = in.value(field);
  if (list.is_array() && list.size() >= size_min && list.size() <= size_max) return list;
  in.complain(fmt::format("field '{}' is not a list of the expected size", field));
  return json::array();
}

std::vector<timeline_id> take_timelines(object_reader& in) {
  std::vector<timeline_id> all;
  for (const json& entry : take_list(in, "timelines")) {
    const std::string* name = entry.get_ptr<const std::string*>();
    const auto id = parse_timeline_id(name == nullptr ? std::string_view{} : *name);
    if (!id || !id->is_valid() || (!all.empty() && all.back() >= *id)) {
      in.complain("field 'timelines' is not a list of ascending ids");
      break;
    }
    all.push_back(*id);
  }
  return all;
}

std::vector<lsn> take_lsns(object_reader& in, const char* field) {
  std::vector<lsn> all;
  for (const json& entry : take_list(in, field, 1)) {
    const std::string* given = entry.get_ptr<const std::string*>();
    const auto at = parse_lsn(given == nullptr ? std::string_view{} : *given);
    if (!at || (!all.empty() && all.back() >= *at)) {
      in.complain(fmt::format("field '{}' is not a list of ascending LSNs", field));
      break;
    }
    all.push_back(*at);
  }
  return all;
}

result<layer_slice> take_slice(json entry, const std::string& what,
                               const std::vector<timeline_id>& timelines) {
  object_reader in(std::move(entry), what);
  layer_slice slice;
  layer_file_info& file = slice.file;
  const uint64_t timeline = in.number("timeline", 0, UINT32_MAX);
  if (timeline < timelines.size())
    file.name.timeline = timelines[timeline];
  else
    in.complain(
        fmt::format("field 'timeline' is {}, expected less than {}", timeline, timelines.size()));
  file.name.number = in.number("number", 0, UINT64_MAX);
  file.name.kind = static_cast<layer_kind>(in.word("kind", {kind_names[0], kind_names[1]}));
  file.first_key = in.parsed<key>("first", parse_key);
  file.last_key = in.parsed<key>("last", parse_key);
  file.after = in.parsed<lsn>("after", parse_lsn);
  file.last = in.position("until");
  file.size_bytes = in.number("bytes", 0, bytes_max);
  file.entries = in.number("entries", 0, bytes_max);
  file.keys = in.number("keys", 0, bytes_max);
  if (in.has("copied_at")) file.copied_at = take_lsns(in, "copied_at");
  if (in.has("collected_to")) {
    file.collected_to = in.parsed<lsn>("collected_to", parse_lsn);
    file.collected_points = static_cast<uint32_t>(in.number("collected_points", 0, UINT32_MAX));
  }
  slice.first = file.first_key;
  slice.last = file.last_key;
  slice.until = file.last;
  if (in.has("part")) {
    object_reader part(in.value("part"), what + ", field 'part'");
    slice.first = part.parsed<key>("first", parse_key);
    slice.last = part.parsed<key>("last", parse_key);
    slice.until = part.position("until");
    if (const auto whole = part.finish(true); !whole) in.complain(whole.error().message);
  }
  return in.finish(std::move(slice));
}

std::vector<layer_map::level> take_levels(object_reader& in,
                                          const std::vector<timeline_id>& timelines) {
  std::vector<layer_map::level> levels;
  json lists = take_list(in, "levels", layer_map::level_count, layer_map::level_count);
  for (json& list : lists) {
    layer_map::level& level = levels.emplace_back();
    if (!list.is_array()) in.complain("field 'levels' is not a list of lists");
    if (in.failed()) break;
    for (json& entry : list) {
      const std::string what =
          fmt::format("slice {} of level {} in field 'levels'", level.size(), levels.size() - 1);
      auto slice = take_slice(std::move(entry), what, timelines);
      if (!slice) {
        in.complain(slice.error().message);
        return levels;
      }
      level.push_back(std::move(*slice));
    }
  }
  return levels;
}

result<unknown_state> take_unknown(json entry, const std::string& what) {
  object_reader in(std::move(entry), what);
  unknown_state one;
  const auto number = [&](const char* field, uint64_t max, auto& into) {
    using value = typename std::remove_cvref_t<decltype(into)>::value_type;
    if (in.has(field)) into = static_cast<value>(in.number(field, 0, max));
  };
  one.keys.kind =
      static_cast<key_kind>(in.number("kind", static_cast<uint64_t>(key_kind::control),
                                      static_cast<uint64_t>(key_kind::transaction_ends)));
  number("a", UINT32_MAX, one.keys.a);
  number("b", UINT32_MAX, one.keys.b);
  number("c", UINT32_MAX, one.keys.c);
  number("fork", 3, one.keys.fork);
  one.at = in.position("at");
  const std::string code = in.text("error");
  const auto found = std::ranges::find(error_names, code);
  if (found == error_names.end())
    in.complain(fmt::format("field 'error' has the unknown value '{}'", code));
  else
    one.why.code = static_cast<errc>(found - error_names.begin() + 1);
  one.why.message = in.text("why");
  return in.finish(std::move(one));
}

std::vector<unknown_state> take_unknowns(object_reader& in) {
  std::vector<unknown_state> all;
  json list = take_list(in, "unknowns");
  for (json& entry : list) {
    auto one =
        take_unknown(std::move(entry), fmt::format("entry {} of field 'unknowns'", all.size()));
    if (!one) {
      in.complain(one.error().message);
      break;
    }
    all.push_back(std::move(*one));
  }
  return all;
}

std::vector<std::optional<key>> take_places(object_reader& in) {
  std::vector<std::optional<key>> places;
  for (const json& entry :
       take_list(in, "merged_up_to", layer_map::level_count, layer_map::level_count)) {
    places.emplace_back();
    if (entry.is_null()) continue;
    const std::string* given = entry.get_ptr<const std::string*>();
    const auto place = parse_key(given == nullptr ? std::string_view{} : *given);
    if (!place) {
      in.complain("field 'merged_up_to' is not a list of keys");
      break;
    }
    places.back() = *place;
  }
  return places;
}

/// Of one file everything is said alike, and nothing lies after what is consistent.
result<void> check_files(const manifest& m) {
  std::vector<const layer_slice*> all;
  for (const layer_level& level : m.map.levels())
    for (const layer_slice& slice : level) all.push_back(&slice);
  const auto by_name = [](const layer_slice* one) -> const layer_name& { return one->file.name; };
  std::ranges::sort(all, {}, by_name);
  for (size_t i = 0; i < all.size(); ++i) {
    const layer_slice& slice = *all[i];
    const auto wrong = [&](std::string_view what) {
      return fail(errc::corrupt,
                  fmt::format("a manifest: field 'levels': file {:08x} of timeline {} {}",
                              slice.file.name.number, to_string(slice.file.name.timeline), what));
    };
    if (i > 0 && by_name(all[i - 1]) == by_name(all[i]) && all[i - 1]->file != slice.file)
      return wrong("is described in two ways");
    if (slice.file.name.number == 0 && slice.file.name.kind != layer_kind::image)
      return wrong("is no image, as number 0 has to be");
    if (slice.until > m.disk_consistent)
      return wrong(
          fmt::format("counts up to {}, past field 'disk_consistent'", to_string(slice.until)));
  }
  if (!m.map.unknowns().empty() && m.map.unknowns().front().at > m.disk_consistent)
    return fail(errc::corrupt, "a manifest: field 'unknowns' is past field 'disk_consistent'");
  return {};
}

}  // namespace

std::string encode(const manifest& m) {
  std::string made;
  const text out(made);
  const std::vector<timeline_id> timelines = timelines_of(m.map);
  fmt::format_to(out, R"({{
  "manifest_format": {},
  "disk_consistent": "{}",
  "last_record": "{}",
  "ends_with_shutdown_checkpoint": {},
  "readable_from": "{}",
  "next_number": {},
  "wal_bytes": {},
  "flushed_bytes": {},
  "merged_bytes": {},
  "timelines": [)",
                 format_version, zenith::to_string(m.disk_consistent),
                 zenith::to_string(m.last_record), m.ends_with_shutdown_checkpoint,
                 zenith::to_string(m.readable_from), m.next_number, m.wal_bytes, m.flushed_bytes,
                 m.merged_bytes);
  for (size_t i = 0; i < timelines.size(); ++i)
    fmt::format_to(out, "{}\n    \"{}\"", i == 0 ? "" : ",", zenith::to_string(timelines[i]));
  fmt::format_to(out, "],\n  \"levels\": [");
  put_levels(out, m.map, timelines);
  fmt::format_to(out, "],\n  \"unknowns\": [");
  put_unknowns(out, m.map.unknowns());
  fmt::format_to(out, "],\n  \"merged_up_to\": [");
  put_places(out, m.map.places());
  fmt::format_to(out, "]\n}}\n");
  return made;
}

result<manifest> decode_manifest(std::string_view json_text) {
  object_reader in(json_text, "a manifest");
  manifest m;
  in.number("manifest_format", format_version, format_version);
  m.disk_consistent = in.position("disk_consistent");
  m.last_record = in.parsed<lsn>("last_record", parse_lsn);
  if (m.last_record >= m.disk_consistent)
    in.complain("field 'last_record' is not before 'disk_consistent'");
  m.ends_with_shutdown_checkpoint = in.flag("ends_with_shutdown_checkpoint");
  m.readable_from = in.parsed<lsn>("readable_from", parse_lsn);
  m.next_number = in.number("next_number", 1, UINT64_MAX);
  m.wal_bytes = in.number("wal_bytes", 0, UINT64_MAX);
  m.flushed_bytes = in.number("flushed_bytes", 0, UINT64_MAX);
  m.merged_bytes = in.number("merged_bytes", 0, UINT64_MAX);
  const std::vector<timeline_id> timelines = take_timelines(in);
  std::vector<layer_map::level> levels = take_levels(in, timelines);
  std::vector<unknown_state> unknowns = take_unknowns(in);
  std::vector<std::optional<key>> places = take_places(in);
  ZENITH_TRY(in.finish(true));
  auto map = layer_map::make(std::move(levels), std::move(unknowns), std::move(places));
  if (!map)
    return fail(errc::corrupt, fmt::format("a manifest: field 'levels': {}", map.error().message));
  m.map = std::move(*map);
  ZENITH_TRY(check_files(m));
  return m;
}

result<manifest> read_manifest(file_system& files, const path& timeline_directory) {
  const path name = timeline_directory / manifest_name;
  ZENITH_TRY_ASSIGN(const std::string json_text, read_metadata_file(files, name));
  auto decoded = decode_manifest(json_text);
  if (!decoded)
    return fail(decoded.error().code,
                fmt::format("{}: {}", name.string(), decoded.error().message));
  return decoded;
}

result<void> write_manifest(file_system& files, const path& timeline_directory, const manifest& m) {
  return write_metadata_file(files, timeline_directory / manifest_name, encode(m));
}

}  // namespace zenith::layers
