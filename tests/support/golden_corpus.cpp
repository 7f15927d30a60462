// Reading and packing the golden corpus.
#include "tests/support/golden_corpus.hpp"

#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "storage/postgres/page_items.hpp"
#include "tests/support/files.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

const fs::path corpus = ZENITH_GOLDEN_CORPUS;

// A window that holds the base and all WAL of a scenario: 128 MiB, what zstd takes unasked.
constexpr int window_log = 27;
constexpr int compression_level = 19;

size_t checked(size_t zstd_result) {
  if (ZSTD_isError(zstd_result))
    throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(zstd_result));
  return zstd_result;
}

bytes decompress(const fs::path& name, byte_view prefix) {
  const bytes file = read_file(name);
  const auto size = ZSTD_getFrameContentSize(file.data(), file.size());
  if (size > (uint64_t{1} << window_log)) throw std::runtime_error(name.string() + " is damaged");
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     ZSTD_freeDCtx);
  checked(ZSTD_DCtx_refPrefix(context.get(), prefix.data(), prefix.size()));
  bytes data(size);
  const size_t got = checked(
      ZSTD_decompressDCtx(context.get(), data.data(), data.size(), file.data(), file.size()));
  if (got != data.size()) throw std::runtime_error(name.string() + " is too short");
  return data;
}

/// Takes values off the front of packed ones.
class unpacker {
 public:
  explicit unpacker(byte_view data) : data_(data) {}

  bool done() const { return data_.empty(); }
  byte_view take(size_t size) {
    if (size > data_.size()) throw std::runtime_error("a golden file ends too early");
    const byte_view front = data_.first(size);
    data_ = data_.subspan(size);
    return front;
  }
  template <class T>
  T number() {
    return load<T>(take(sizeof(T)).data());
  }
  void take_one(golden_values& into) {
    const auto k = decode_key(take(encoded_key_size_bytes));
    if (!k) throw std::runtime_error(k.error().message);
    const byte_view value = take(number<uint32_t>());
    into.emplace_hint(into.end(), *k, bytes{value.begin(), value.end()});
  }

 private:
  byte_view data_;
};

template <class T>
void append(bytes& to, T value) {
  to.resize(to.size() + sizeof(T));
  store(to.data() + to.size() - sizeof(T), value);
}

lsn lsn_of(const nlohmann::json& manifest, const char* name) {
  const auto at = parse_lsn(manifest.at(name).get<std::string>());
  if (!at) throw std::runtime_error(at.error().message);
  return *at;
}

}  // namespace

golden_block golden_block::of(const page& p) {
  constexpr size_t masked_bytes = 10;
  constexpr std::array<std::byte, masked_bytes> zeros{};
  const uint32_t crc =
      crc32c_feed(crc32c_feed(crc32c_start, zeros), p.view().subspan(masked_bytes));
  return {crc32c_finish(crc), pg::page_lsn(p)};
}

golden_block golden_block::decode(byte_view value) {
  if (value.size() != page_size_bytes)
    return {load<uint32_t>(value.data()), lsn{load<uint64_t>(value.data() + 4)}};
  page p;
  std::ranges::copy(value, p.begin());
  return of(p);
}

bytes golden_block::encode() const {
  bytes value;
  append(value, crc);
  append(value, written.value());
  return value;
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(corpus))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

const golden_base& load_golden_base() {
  static const golden_base base = [] {
    golden_base read;
    read.packed = decompress(corpus / "base.zst", {});
    for (unpacker from(read.packed); !from.done();) from.take_one(read.values);
    return read;
  }();
  return base;
}

golden_scenario load_golden(const std::string& name) {
  const bytes text = read_file(corpus / name / "manifest.json");
  const auto manifest = nlohmann::json::parse(as_text(text));
  const byte_view prefix = load_golden_base().packed;
  golden_scenario scenario;
  scenario.name = name;
  scenario.identity = {
      system_identifier{std::stoull(manifest.at("system_identifier").get<std::string>())},
      manifest.at("segment_size_bytes").get<uint32_t>()};
  scenario.begin = lsn_of(manifest, "wal_begins_at");
  scenario.start = lsn_of(manifest, "starts_at");
  scenario.end = lsn_of(manifest, "ends_at");
  scenario.wal = decompress(corpus / name / "wal.zst", prefix);
  if (scenario.wal.size() != scenario.end - scenario.begin)
    throw std::runtime_error(name + ": the WAL is not as long as its manifest says");
  const bytes expected = decompress(corpus / name / "expected.zst", prefix);
  for (unpacker from(expected); !from.done();) {
    golden_stop& stop = scenario.stops.emplace_back();
    stop.at = lsn{from.number<uint64_t>()};
    for (auto left = from.number<uint32_t>(); left > 0; --left) from.take_one(stop.values);
  }
  return scenario;
}

bytes pack_golden(const golden_values& values) {
  bytes packed;
  for (const auto& [k, value] : values) {
    const encoded_key encoded = encode(k);
    packed.insert(packed.end(), encoded.begin(), encoded.end());
    append(packed, static_cast<uint32_t>(value.size()));
    packed.insert(packed.end(), value.begin(), value.end());
  }
  return packed;
}

bytes pack_golden(const std::vector<golden_stop>& stops) {
  bytes packed;
  for (const golden_stop& stop : stops) {
    append(packed, stop.at.value());
    append(packed, static_cast<uint32_t>(stop.values.size()));
    const bytes values = pack_golden(stop.values);
    packed.insert(packed.end(), values.begin(), values.end());
  }
  return packed;
}

bytes compress_golden(byte_view data, byte_view prefix) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     ZSTD_freeCCtx);
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    checked(ZSTD_CCtx_setParameter(context.get(), parameter, value));
  };
  set(ZSTD_c_compressionLevel, compression_level);
  set(ZSTD_c_windowLog, window_log);
  set(ZSTD_c_enableLongDistanceMatching, 1);
  set(ZSTD_c_checksumFlag, 1);
  checked(ZSTD_CCtx_refPrefix(context.get(), prefix.data(), prefix.size()));
  bytes packed(ZSTD_compressBound(data.size()));
  packed.resize(checked(
      ZSTD_compress2(context.get(), packed.data(), packed.size(), data.data(), data.size())));
  return packed;
}

}  // namespace zenith::testing
