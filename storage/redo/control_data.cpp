// Reading and changing the versioned control data.
#include "storage/redo/control_data.hpp"

namespace zenith::redo {
namespace {

result<pg::control_file> decode(const std::optional<bytes>& value) {
  if (!value) return fail(errc::corrupt, "there are no control data before this record");
  return pg::decode_control_file(*value);
}

result<pg::control_file> current_control(change_sink& sink) {
  if (const auto* known = sink.at_hand(key::control())) return decode(*known);
  ZENITH_TRY_ASSIGN(const auto value, sink.current(key::control()));
  return decode(value);
}

}  // namespace

result<void> change_control(change_sink& sink,
                            const std::function<void(pg::control_file&)>& change) {
  ZENITH_TRY_ASSIGN(const auto before, current_control(sink));
  auto control = before;
  change(control);
  if (control != before) sink.put_value(key::control(), pg::encode_control_data(control));
  return {};
}

result<bool> keeps_commit_timestamps(change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto control, current_control(sink));
  return control.track_commit_timestamp;
}

}  // namespace zenith::redo
