// Each file and directory is kept twice: as it is now, and as it would be after a power cut.
#include "tests/support/memory_file_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

namespace zenith::testing {
namespace {

constexpr size_t sector_bytes = 512;

// Parts below the root, with no "." and no slash at the end.
path normal(const path& name) {
  path relative = name.relative_path().lexically_normal();
  if (!relative.has_filename()) relative = relative.parent_path();
  return relative == "." ? path() : relative;
}
std::string last_part(const path& name) { return normal(name).filename().string(); }

}  // namespace

struct memory_file_system::node {
  bool is_directory = false;
  bytes now, durable;                // of a file
  std::set<uint64_t> touched;        // its sectors written since the last sync
  entries names_now, names_durable;  // of a directory
  // Renames into this directory take the old name away durably when it is synced.
  struct moved_from {
    std::shared_ptr<node> directory;
    std::string name;
  };
  std::vector<moved_from> moved;

  void write(uint64_t offset, byte_view data) {
    if (data.empty()) return;
    if (now.size() < offset + data.size()) now.resize(offset + data.size());
    std::ranges::copy(data, now.begin() + static_cast<ptrdiff_t>(offset));
    for (uint64_t s = offset / sector_bytes; s <= (offset + data.size() - 1) / sector_bytes; ++s)
      touched.insert(s);
  }
  void keep_sector(uint64_t sector) {
    const size_t from = sector * sector_bytes;
    const size_t until = std::min({from + sector_bytes, now.size(), durable.size()});
    if (from < until)
      std::copy(now.begin() + static_cast<ptrdiff_t>(from),
                now.begin() + static_cast<ptrdiff_t>(until),
                durable.begin() + static_cast<ptrdiff_t>(from));
  }
  void sync() {
    durable.resize(now.size());
    for (const uint64_t sector : touched) keep_sector(sector);
    touched.clear();
  }
  void sync_names() {
    names_durable = names_now;
    for (const moved_from& from : moved)
      if (!from.directory->names_now.contains(from.name))
        from.directory->names_durable.erase(from.name);
    moved.clear();
  }
  void cut(std::mt19937_64* chance) {
    if (!is_directory) {
      if (chance != nullptr && ((*chance)() & 1) != 0) durable.resize(now.size());
      if (chance != nullptr)
        for (const uint64_t sector : touched)
          if (((*chance)() & 1) != 0) keep_sector(sector);
      touched.clear();
      now = durable;
      return;
    }
    if (chance != nullptr) {
      std::set<std::string> all;
      for (const auto& [name, child] : names_now) all.insert(name);
      for (const auto& [name, child] : names_durable) all.insert(name);
      for (const std::string& name : all) {
        if (((*chance)() & 1) == 0) continue;
        if (const auto at = names_now.find(name); at != names_now.end())
          names_durable[name] = at->second;
        else
          names_durable.erase(name);
      }
    }
    moved.clear();
    names_now = names_durable;
    for (const auto& [name, child] : names_now) child->cut(chance);
  }
};

class memory_file_system::handle final : public file {
 public:
  handle(memory_file_system& system, std::shared_ptr<node> node, path name, bool writable)
      : system_(system),
        node_(std::move(node)),
        name_(std::move(name)),
        writable_(writable),
        generation_(system.generation_) {}

  result<void> read(uint64_t offset, byte_span into) const override {
    const std::lock_guard lock(system_.mutex_);
    ZENITH_TRY(alive(offset));
    if (offset > node_->now.size() || into.size() > node_->now.size() - offset)
      return fail(errc::corrupt,
                  fmt::format("{} ends at offset {}, where {} bytes at {} must be", name_.string(),
                              node_->now.size(), into.size(), offset));
    std::copy_n(node_->now.begin() + static_cast<ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }
  result<void> write(uint64_t offset, byte_view data) override {
    const std::lock_guard lock(system_.mutex_);
    ZENITH_TRY(alive(offset));
    if (!writable_) return fail(errc::io, fmt::format("{} is open for reading", name_.string()));
    if (auto counted = system_.count("write", name_); !counted) {
      if (system_.failed_for_space_ || system_.power_lost_)
        node_->write(offset, data.first(data.size() / 2));
      return counted;
    }
    node_->write(offset, data);
    return {};
  }
  result<void> sync() override {
    const std::lock_guard lock(system_.mutex_);
    ZENITH_TRY(alive(0));
    if (sync_failed_)
      return fail(errc::io, fmt::format("cannot sync {}: it failed before", name_.string()));
    if (auto counted = system_.count("sync", name_); !counted) {
      sync_failed_ = true;
      if (system_.fault_ == fault::lost) node_->touched.clear();
      return counted;
    }
    node_->sync();
    return {};
  }
  result<uint64_t> size_bytes() const override {
    const std::lock_guard lock(system_.mutex_);
    ZENITH_TRY(alive(0));
    return node_->now.size();
  }
  result<void> resize(uint64_t size_bytes) override {
    const std::lock_guard lock(system_.mutex_);
    ZENITH_TRY(alive(0));
    ZENITH_TRY(system_.count("resize", name_));
    // A sector that is cut away and comes back is zero, now and after a sync.
    for (uint64_t s = size_bytes / sector_bytes; s * sector_bytes < node_->now.size(); ++s)
      node_->touched.insert(s);
    node_->now.resize(size_bytes);
    return {};
  }

 private:
  result<void> alive(uint64_t offset) const {
    if (generation_ == system_.generation_ && !system_.power_lost_) return {};
    return fail(errc::io, fmt::format("cannot use {} at offset {}: the power was cut",
                                      name_.string(), offset));
  }

  memory_file_system& system_;
  std::shared_ptr<node> node_;
  path name_;
  bool writable_;
  bool sync_failed_ = false;
  uint64_t generation_;
};

memory_file_system::memory_file_system() : root_(std::make_shared<node>()) {
  root_->is_directory = true;
}
memory_file_system::~memory_file_system() = default;

void memory_file_system::power_cut() { cut(std::nullopt); }
void memory_file_system::power_cut_keeping_some(uint64_t seed) { cut(seed); }

void memory_file_system::cut(std::optional<uint64_t> seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 chance(seed.value_or(0));
  root_->cut(seed ? &chance : nullptr);
  ++generation_;
  power_lost_ = false;
  fault_at_.reset();
}

uint64_t memory_file_system::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}
void memory_file_system::fail_at(uint64_t operation, fault how, unsigned count) {
  const std::lock_guard lock(mutex_);
  fault_at_ = operation;
  fault_ = how;
  faults_left_ = count;
}

result<void> memory_file_system::count(std::string_view what, const path& name) {
  failed_for_space_ = false;
  if (power_lost_)
    return fail(errc::io, fmt::format("cannot {} {}: the power was cut", what, name.string()));
  if (fault_at_ != operations_++) return {};
  fault_at_ = --faults_left_ > 0 ? std::optional(operations_) : std::nullopt;
  failed_for_space_ = fault_ == fault::no_space;
  power_lost_ = fault_ == fault::power;
  const char* reason = fault_ == fault::no_space ? "No space left on device"
                       : fault_ == fault::power  ? "the power was cut"
                                                 : "Input/output error";
  return fail(errc::io, fmt::format("cannot {} {}: {}", what, name.string(), reason));
}

std::shared_ptr<memory_file_system::node> memory_file_system::find(const path& name) const {
  std::shared_ptr<node> at = root_;
  for (const path& part : normal(name)) {
    if (part.empty()) continue;
    if (!at->is_directory) return nullptr;
    const auto child = at->names_now.find(part.string());
    if (child == at->names_now.end()) return nullptr;
    at = child->second;
  }
  return at;
}
std::shared_ptr<memory_file_system::node> memory_file_system::find_directory_of(
    const path& name) const {
  const auto found = find(normal(name).parent_path());
  return found && found->is_directory ? found : nullptr;
}

result<std::unique_ptr<file>> memory_file_system::open(const path& name, open_mode mode) {
  const std::lock_guard lock(mutex_);
  if (power_lost_) return fail(errc::io, fmt::format("cannot open {}: no power", name.string()));
  std::shared_ptr<node> found = find(name);
  if (found && mode == open_mode::create_new)
    return fail(errc::already_exists, fmt::format("{} exists", name.string()));
  if (found && found->is_directory)
    return fail(errc::io, fmt::format("{} is a directory", name.string()));
  if (!found) {
    const auto directory = find_directory_of(name);
    if (mode == open_mode::read || mode == open_mode::write || !directory)
      return fail(errc::not_found, fmt::format("cannot open {}: it does not exist", name.string()));
    ZENITH_TRY(count("create", name));
    found = std::make_shared<node>();
    directory->names_now[last_part(name)] = found;
  }
  return std::make_unique<handle>(*this, found, name, mode != open_mode::read);
}

result<bool> memory_file_system::exists(const path& name) {
  const std::lock_guard lock(mutex_);
  if (power_lost_) return fail(errc::io, fmt::format("cannot examine {}: no power", name.string()));
  return find(name) != nullptr;
}

result<void> memory_file_system::create_directories(const path& name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<node> at = root_;
  for (const path& part : normal(name)) {
    if (part.empty()) continue;
    std::shared_ptr<node>& child = at->names_now[part.string()];
    if (!child) {
      if (auto counted = count("make directory", name); !counted) {
        at->names_now.erase(part.string());
        return counted;
      }
      child = std::make_shared<node>();
      child->is_directory = true;
    } else if (!child->is_directory) {
      return fail(errc::io, fmt::format("cannot make directory {}: there is a file of the name {}",
                                        name.string(), part.string()));
    }
    at = child;
  }
  return {};
}

result<std::vector<directory_entry>> memory_file_system::list(const path& directory) {
  const std::lock_guard lock(mutex_);
  const auto found = find(directory);
  if (power_lost_)
    return fail(errc::io, fmt::format("cannot list {}: no power", directory.string()));
  if (!found || !found->is_directory)
    return fail(errc::not_found,
                fmt::format("cannot list {}: no such directory", directory.string()));
  std::vector<directory_entry> all;
  for (const auto& [name, child] : found->names_now) all.push_back({name, child->is_directory});
  return all;
}

result<void> memory_file_system::rename(const path& from, const path& to) {
  const std::lock_guard lock(mutex_);
  const auto source = find(from);
  const auto source_directory = find_directory_of(from);
  const auto target_directory = find_directory_of(to);
  if (!source || !target_directory)
    return fail(errc::not_found, fmt::format("cannot rename {} to {}: one does not exist",
                                             from.string(), to.string()));
  ZENITH_TRY(count("rename", from));
  source_directory->names_now.erase(last_part(from));
  target_directory->names_now[last_part(to)] = source;
  if (source_directory != target_directory)
    target_directory->moved.push_back({source_directory, last_part(from)});
  return {};
}

result<void> memory_file_system::remove(const path& name) {
  const std::lock_guard lock(mutex_);
  const auto found = find(name);
  if (!found || found->is_directory)
    return fail(errc::not_found, fmt::format("cannot remove {}: no such file", name.string()));
  ZENITH_TRY(count("remove", name));
  find_directory_of(name)->names_now.erase(last_part(name));
  return {};
}

result<void> memory_file_system::remove_all(const path& directory) {
  const std::lock_guard lock(mutex_);
  if (!find(directory)) return {};
  ZENITH_TRY(count("remove", directory));
  find_directory_of(directory)->names_now.erase(last_part(directory));
  return {};
}

result<void> memory_file_system::sync_directory(const path& directory) {
  const std::lock_guard lock(mutex_);
  const auto found = find(directory);
  if (!found || !found->is_directory)
    return fail(errc::not_found,
                fmt::format("cannot sync {}: no such directory", directory.string()));
  ZENITH_TRY(count("sync directory", directory));
  found->sync_names();
  return {};
}

}  // namespace zenith::testing
