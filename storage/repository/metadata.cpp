// Metadata as JSON.
#include "storage/repository/metadata.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "storage/base/assert.hpp"
#include "storage/io/object_reader.hpp"

namespace zenith::repository {
namespace {

using nlohmann::json;

constexpr uint32_t segment_size_min_bytes = 1u << 20;
constexpr uint32_t segment_size_max_bytes = 1u << 30;

result<system_identifier> parse_system_identifier(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value == 0)
    return fail(errc::corrupt, fmt::format("'{}' is not a system identifier", text));
  return system_identifier{value};
}

json to_json(const timeline_point& p) {
  return {{"timeline", zenith::to_string(p.timeline)}, {"lsn", zenith::to_string(p.at)}};
}

void take_pg_timelines(object_reader& in, timeline_metadata& out) {
  const json list = in.value("pg_timelines");
  if (!list.is_array() || list.empty()) return in.complain("field 'pg_timelines' is not a list");
  for (const json& entry : list) {
    object_reader item(entry, "an entry of 'pg_timelines'");
    pg_timeline_start start;
    start.number = static_cast<pg_timeline>(item.number("pg_timeline", 1, UINT32_MAX));
    start.start = item.position("start_lsn");
    const auto whole = item.finish(start);
    if (!whole) return in.complain(whole.error().message);
    if (!out.pg_timelines.empty() && (out.pg_timelines.back().number >= start.number ||
                                      out.pg_timelines.back().start > start.start))
      return in.complain("field 'pg_timelines' is not in ascending order");
    out.pg_timelines.push_back(start);
  }
}

void take_settings(object_reader& in, timeline_metadata& out) {
  const json all = in.value("settings");
  if (!all.is_object()) return in.complain("field 'settings' is not an object");
  for (const auto& [key, value] : all.items()) {
    if (!value.is_string())
      return in.complain(fmt::format("field 'settings': '{}' is not a text", key));
    out.settings.emplace(key, value.get<std::string>());
  }
}

void put_previous_record(json& into, lsn previous) {
  if (previous.is_valid()) into["previous_record"] = zenith::to_string(previous);
}

lsn take_previous_record(object_reader& in, lsn at) {
  if (!in.has("previous_record")) return {};
  const lsn previous = in.position("previous_record");
  if (previous >= at) in.complain("field 'previous_record' is not before 'lsn'");
  return previous;
}

std::string dump(const json& value) { return value.dump(2) + "\n"; }

}  // namespace

std::string encode(const timeline_metadata& m) {
  json pg_timelines = json::array();
  for (const pg_timeline_start& start : m.pg_timelines)
    pg_timelines.push_back({{"pg_timeline", static_cast<uint32_t>(start.number)},
                            {"start_lsn", zenith::to_string(start.start)}});
  json all = {{"id", zenith::to_string(m.id)},
              {"ancestor", m.ancestor ? to_json(*m.ancestor) : json{}},
              {"system_identifier", zenith::to_string(m.system)},
              {"pg_version", m.pg_version},
              {"segment_size_bytes", m.segment_size_bytes},
              {"data_checksums", m.checksums == data_checksums::on},
              {"start_lsn", zenith::to_string(m.start)},
              {"start_previous_record", zenith::to_string(m.start_previous_record)},
              {"pg_timelines", pg_timelines},
              {"created_at_us", m.created_at.unix_us()},
              {"state", m.state == timeline_state::active ? "active" : "creating"}};
  if (!m.settings.empty()) all["settings"] = m.settings;
  return dump(all);
}

result<timeline_metadata> decode_timeline(std::string_view json_text) {
  object_reader in(json_text, "a timeline's metadata");
  timeline_metadata m;
  m.id = in.id("id");
  if (const json ancestor = in.value("ancestor"); !ancestor.is_null()) {
    object_reader p(ancestor, "field 'ancestor'");
    const auto whole = p.finish(timeline_point{p.id("timeline"), p.position("lsn")});
    if (!whole) return tl::unexpected<error>(whole.error());
    m.ancestor = *whole;
  }
  m.system = in.parsed<system_identifier>("system_identifier", parse_system_identifier);
  m.pg_version = static_cast<uint32_t>(in.number("pg_version", 1, 1000));
  m.segment_size_bytes = static_cast<uint32_t>(
      in.number("segment_size_bytes", segment_size_min_bytes, segment_size_max_bytes));
  if (!std::has_single_bit(m.segment_size_bytes))
    in.complain("field 'segment_size_bytes' is not a power of two");
  m.checksums = in.flag("data_checksums") ? data_checksums::on : data_checksums::off;
  m.start = in.position("start_lsn");
  m.start_previous_record = in.position("start_previous_record");
  if (m.start_previous_record >= m.start)
    in.complain("field 'start_previous_record' is not before 'start_lsn'");
  if (m.ancestor && m.ancestor->at != m.start)
    in.complain("field 'start_lsn' is not where the ancestor was left");
  take_pg_timelines(in, m);
  m.created_at = timestamp::from_unix_us(
      static_cast<int64_t>(in.number("created_at_us", 0, uint64_t{1} << 60)));
  m.state = static_cast<timeline_state>(in.word("state", {"creating", "active"}));
  if (in.has("settings")) take_settings(in, m);
  return in.finish(std::move(m));
}

std::string encode(const branch_metadata& m) {
  return dump({{"timeline", zenith::to_string(m.timeline)}});
}

result<branch_metadata> decode_branch(std::string_view json_text) {
  object_reader in(json_text, "a branch");
  return in.finish(branch_metadata{in.id("timeline")});
}

std::string encode(const tag_metadata& m) {
  json all = {{"timeline", zenith::to_string(m.point.timeline)},
              {"lsn", zenith::to_string(m.point.at)},
              {"created_at_us", m.created_at.unix_us()}};
  put_previous_record(all, m.previous_record);
  return dump(all);
}

result<tag_metadata> decode_tag(std::string_view json_text) {
  object_reader in(json_text, "a tag");
  tag_metadata m;
  m.point = {in.id("timeline"), in.position("lsn")};
  m.created_at = timestamp::from_unix_us(
      static_cast<int64_t>(in.number("created_at_us", 0, uint64_t{1} << 60)));
  m.previous_record = take_previous_record(in, m.point.at);
  return in.finish(m);
}

std::string encode(const compute_metadata& m) {
  json all = {{"name", m.name},
              {"branch", m.branch},
              {"timeline", zenith::to_string(m.timeline)},
              {"lsn", zenith::to_string(m.at)},
              {"port", m.port},
              {"read_only", m.access == access_mode::read_only},
              {"sync", m.commit == commit_mode::synchronous},
              {"full", m.hydration == hydration_mode::full},
              {"created_at_us", m.created_at.unix_us()}};
  put_previous_record(all, m.previous_record);
  return dump(all);
}

result<compute_metadata> decode_compute(std::string_view json_text) {
  object_reader in(json_text, "a compute's metadata");
  compute_metadata m;
  m.name = in.text("name");
  m.branch = in.text("branch");
  m.timeline = in.id("timeline");
  m.at = in.position("lsn");
  m.port = static_cast<uint16_t>(in.number("port", 0, UINT16_MAX));
  m.access = in.flag("read_only") ? access_mode::read_only : access_mode::read_write;
  m.commit = in.flag("sync") ? commit_mode::synchronous : commit_mode::asynchronous;
  m.hydration = in.flag("full") ? hydration_mode::full : hydration_mode::lazy;
  m.created_at = timestamp::from_unix_us(
      static_cast<int64_t>(in.number("created_at_us", 0, uint64_t{1} << 60)));
  m.previous_record = take_previous_record(in, m.at);
  return in.finish(std::move(m));
}

std::string encode_config(std::string_view settings_json) {
  json settings = json::parse(settings_json, nullptr, false);
  ZENITH_ASSERT(settings.is_object());
  return dump({{"repository_format", repository_format_version}, {"settings", settings}});
}

result<std::string> decode_config(std::string_view json_text) {
  object_reader in(json_text, "the configuration");
  const uint64_t version = in.number("repository_format", 1, UINT32_MAX);
  if (!in.failed() && version != repository_format_version)
    return fail(errc::unsupported,
                fmt::format("the repository has format {}, this version of zenith reads format {}",
                            version, repository_format_version));
  const json settings = in.value("settings");
  if (!settings.is_object()) in.complain("field 'settings' is not an object");
  return in.finish(in.failed() ? std::string() : settings.dump(2));
}

std::string history_file_text(const timeline_metadata& metadata) {
  std::string text;
  for (size_t i = 0; i + 1 < metadata.pg_timelines.size(); ++i)
    text += fmt::format("{}\t{}\tzenith branch\n",
                        static_cast<uint32_t>(metadata.pg_timelines[i].number),
                        zenith::to_string(metadata.pg_timelines[i + 1].start));
  return text;
}

}  // namespace zenith::repository
