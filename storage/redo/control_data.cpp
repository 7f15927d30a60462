// Reading and changing the versioned control data.
#include "storage/redo/control_data.hpp"

#include <fmt/format.h>

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <catalog/pg_control.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

/// The value may be ControlFileData alone or the whole file, in which zeros follow it.
result<bytes> current_control(change_sink& sink) {
  ZENITH_TRY_ASSIGN(auto value, sink.current(key::control()));
  if (!value) return fail(errc::corrupt, "there are no control data before this record");
  if (value->size() < sizeof(ControlFileData))
    return fail(errc::corrupt, fmt::format("the control data have {} bytes, at least {} expected",
                                           value->size(), sizeof(ControlFileData)));
  return std::move(*value);
}

}  // namespace

result<void> change_control(change_sink& sink,
                            const std::function<void(ControlFileData&)>& change) {
  ZENITH_TRY_ASSIGN(bytes value, current_control(sink));
  auto control = load<ControlFileData>(value.data());
  change(control);
  if (std::memcmp(&control, value.data(), sizeof control) == 0) return {};
  control.crc =
      crc32c({reinterpret_cast<const std::byte*>(&control), offsetof(ControlFileData, crc)});
  store(value.data(), control);
  sink.put_value(key::control(), std::move(value));
  return {};
}

result<bool> keeps_commit_timestamps(change_sink& sink) {
  ZENITH_TRY_ASSIGN(const bytes value, current_control(sink));
  return value[offsetof(ControlFileData, track_commit_timestamp)] != std::byte{0};
}

}  // namespace zenith::redo
