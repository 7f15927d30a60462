// fields: reading the big-endian fields of a message's body, and writing them.
#pragma once

#include <optional>
#include <string_view>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::wire {

/// Takes fields from the front of a body. A field that is not there sets good() to false for ever,
/// and zero or an empty text is given; the caller checks once, at the end.
class field_reader {
 public:
  explicit field_reader(byte_view body) : rest_(body) {}

  template <class Integer>
  Integer integer() {
    if (rest_.size() < sizeof(Integer)) return spoil(), Integer{};
    const auto value = load_big_endian<Integer>(rest_.data());
    rest_ = rest_.subspan(sizeof(Integer));
    return value;
  }
  /// A text that ends with a zero byte.
  std::string_view text() {
    const std::string_view all = as_text(rest_);
    const size_t end = all.find('\0');
    if (end == std::string_view::npos) return spoil(), std::string_view{};
    rest_ = rest_.subspan(end + 1);
    return all.substr(0, end);
  }
  byte_view take(size_t size_bytes) {
    if (rest_.size() < size_bytes) return spoil(), byte_view{};
    const byte_view taken = rest_.first(size_bytes);
    rest_ = rest_.subspan(size_bytes);
    return taken;
  }
  byte_view rest() { return take(rest_.size()); }
  size_t left() const { return rest_.size(); }
  bool good() const { return good_; }
  /// Every field was there, and nothing is left over.
  bool finished() const { return good_ && rest_.empty(); }

 private:
  void spoil() {
    good_ = false;
    rest_ = {};
  }
  byte_view rest_;
  bool good_ = true;
};

/// Appends one message to a buffer; its length is filled in by the destructor.
class frame_writer {
 public:
  /// `type` 0 writes an untyped packet.
  frame_writer(bytes& out, char type) : out_(out) {
    if (type != 0) out_.push_back(static_cast<std::byte>(type));
    start_ = out_.size();
    out_.resize(start_ + 4);
  }
  ~frame_writer() {
    store_big_endian(out_.data() + start_, static_cast<uint32_t>(out_.size() - start_));
  }
  frame_writer(const frame_writer&) = delete;
  frame_writer& operator=(const frame_writer&) = delete;

  template <class Integer>
  frame_writer& integer(Integer value) {
    std::byte raw[sizeof(Integer)];
    store_big_endian(raw, value);
    return append(raw);
  }
  /// The text and a zero byte; a text ends at the first zero byte that it holds.
  frame_writer& text(std::string_view value) {
    append(as_bytes(value.substr(0, value.find('\0'))));
    out_.push_back(std::byte{0});
    return *this;
  }
  frame_writer& append(byte_view data) {
    out_.insert(out_.end(), data.begin(), data.end());
    return *this;
  }

 private:
  bytes& out_;
  size_t start_ = 0;
};

}  // namespace zenith::wire
