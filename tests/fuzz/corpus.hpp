// corpus: the files of a fuzzing corpus, as the maker collects them.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "storage/base/bytes.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::fuzz {

/// Inputs by target and name; of several with one name the smallest stays.
class corpus {
 public:
  void add(const std::string& target, const std::string& name, bytes input) {
    auto& kept = inputs_[target][name];
    if (kept.empty() || input.size() < kept.size()) kept = std::move(input);
  }
  /// Replaces FOLDER/TARGET for each target that has inputs.
  void write(const std::filesystem::path& folder) const;

 private:
  std::map<std::string, std::map<std::string, bytes>> inputs_;
};

/// The target of a resource manager's page redo; empty: it changes no pages.
std::string redo_target_of(pg::resource_manager rmgr);

/// Runs real servers, and adds pages with records that change them, raw records, and sequences of
/// records. Takes minutes.
void add_real_records(corpus& into);
/// What the other targets begin from.
void add_messages(corpus& into);
void add_wal_streams(corpus& into);
void add_stored(corpus& into);
void add_layer_files(corpus& into);

}  // namespace zenith::fuzz
