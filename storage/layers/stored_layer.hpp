// stored_layer: a layer file by name, open or not; what layer_files gives out.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "storage/layers/delta_layer.hpp"
#include "storage/layers/image_layer.hpp"
#include "storage/layers/layer_files.hpp"

namespace zenith::layers {

/// An open file of one of the two kinds.
class opened_file {
 public:
  /// Also compares the file with what is known of it. Errors: not_found, io, corrupt.
  static result<opened_file> open(file_system& files, const path& name, const layer_file_info& info,
                                  block_cache& cache, uint64_t cache_file);

  const layer& data() const { return delta_ ? static_cast<const layer&>(*delta_) : *image_; }
  const block_file_reader& file() const { return delta_ ? delta_->file() : image_->file(); }
  std::unique_ptr<version_cursor> cursor(const key& first, const key& last, lsn until) const {
    return delta_ ? delta_->cursor(first, last, until) : image_->cursor(first, last, until);
  }

 private:
  std::shared_ptr<const delta_layer> delta_;  // one of the two
  std::shared_ptr<const image_layer> image_;
};
using opened_file_ptr = std::shared_ptr<const opened_file>;

class stored_layer;

/// The files that are open, no more than a bound: a ring that a hand goes round; what was not read
/// since it came by is closed. Thread-safe.
class open_files {
 public:
  explicit open_files(size_t open_max) : open_max_(open_max) {}

  /// This one was opened; others are closed where there are too many.
  void add(const stored_layer& layer);
  void remove(const stored_layer& layer);
  size_t size() const;

 private:
  static constexpr size_t nowhere = ~size_t{0};
  friend class stored_layer;
  void take_out(const stored_layer& layer);

  const size_t open_max_;
  mutable std::mutex mutex_;
  std::vector<const stored_layer*> ring_;
  size_t hand_ = 0;
};

/// The layers that somebody holds, by name. Thread-safe.
class held_names {
 public:
  std::shared_ptr<const stored_layer> find(const layer_name& name,
                                           const std::function<stored_layer*()>& make);
  void remove(const layer_name& name);
  void begin_sweep();
  std::set<layer_name> end_sweep();

 private:
  std::mutex mutex_;
  std::map<layer_name, std::weak_ptr<const stored_layer>> held_;
  bool is_noting_ = false;
  std::set<layer_name> noted_;
};

class stored_layer final : public layer {
 public:
  /// `owner` has to be there when it is read; it may end before the layer.
  stored_layer(layer_files& owner, std::shared_ptr<open_files> open,
               std::shared_ptr<held_names> names, layer_file_info info)
      : owner_(owner), open_(std::move(open)), names_(std::move(names)), info_(std::move(info)) {}
  ~stored_layer() override;

  const layer_file_info& info() const { return info_; }

  /// The file, opened where it is not. It stays open as long as it is held.
  result<opened_file_ptr> opened() const;

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override;
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override;
  result<std::optional<transaction_end>> first_later_than(int64_t time_us,
                                                          lsn until) const override;
  result<std::optional<transaction_end>> first_end_from(lsn from, lsn until) const override;
  result<std::optional<int64_t>> newest_time(lsn until) const override;

 private:
  friend class open_files;
  /// Whether it may have versions with after < LSN <= until of keys from first to last.
  bool may_have(const key& first, const key& last, lsn after, lsn until) const;

  layer_files& owner_;
  const std::shared_ptr<open_files> open_;
  const std::shared_ptr<held_names> names_;
  const layer_file_info info_;
  const uint64_t cache_file_ = block_file_reader::new_cache_file();
  mutable std::mutex opening_mutex_;  // held while the file is opened; before all others
  mutable std::mutex mutex_;
  mutable opened_file_ptr file_;
  mutable bool used_ = false;
  mutable size_t place_ = open_files::nowhere;  // in the ring; by its mutex
};

}  // namespace zenith::layers
