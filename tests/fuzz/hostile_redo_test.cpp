// Records of real servers, each with every byte changed or cut, on the pages that they were for.
#include <gtest/gtest.h>

#include <map>

#include "storage/postgres/mask.hpp"
#include "storage/redo/redo.hpp"
#include "tests/fuzz/guarded.hpp"
#include "tests/support/golden_replay.hpp"
#include "tests/support/record_builder.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::testing {
namespace {

using fuzz::guarded_memory;
using fuzz::guarded_page;

/// Answers from a state that stays as it is, and counts what is put.
class trial_sink final : public redo::change_sink {
 public:
  explicit trial_sink(memory_sink& state) : state_(state) {}
  size_t puts = 0;
  size_t bytes_put = 0;

  void put_record(const key&, redo::record_effect) override { ++puts; }
  void put_value(const key&, bytes value) override {
    ++puts;
    bytes_put += value.size();
  }
  void put_absent(const key&) override { ++puts; }
  void put_copy(const key&, const key&) override { ++puts; }
  void put_relation(const relation_id&, fork_number, std::optional<relation_state> s) override {
    ++puts;
    if (s) bytes_put += s->encode().size();
  }
  void put_transaction_end(int64_t) override { ++puts; }
  result<std::optional<bytes>> current(const key& k) override { return state_.current(k); }
  result<std::optional<relation_state>> current_relation(const relation_id& r,
                                                         fork_number f) override {
    return state_.current_relation(r, f);
  }
  result<std::vector<key>> current_keys(const key& first, const key& last) override {
    return state_.current_keys(first, last);
  }
  result<bool> exists(const key& k) override { return state_.exists(k); }

 private:
  memory_sink& state_;
};

/// Tries what is almost a record on the state just before it.
class trials {
 public:
  explicit trials(memory_sink& state) : state_(state) {}
  uint64_t tried = 0;
  uint64_t not_records = 0;  ///< of these, not even taken apart
  uint64_t refused = 0;      ///< of these, at least one page or ingest gave an error

  void all_changes(const wal::raw_record& raw) {
    bytes changed(raw.bytes.begin(), raw.bytes.end());
    for (size_t at = 0; at < changed.size(); ++at) {
      const auto was = changed[at];
      for (const int flip : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
        changed[at] = was ^ static_cast<std::byte>(flip);
        one(raw, changed);
      }
      changed[at] = was;
    }
    for (size_t size = 24; size < raw.bytes.size(); ++size) {
      bytes cut(raw.bytes.begin(), raw.bytes.begin() + static_cast<ptrdiff_t>(size));
      store(cut.data(), static_cast<uint32_t>(size));
      one(raw, cut);
      // Its main data as short as it says, where that is what was cut.
      const size_t missing = raw.bytes.size() - size;
      for (size_t header = 24; header + 1 < std::min<size_t>(size, 64); ++header)
        if (cut[header] == std::byte{255} && static_cast<size_t>(cut[header + 1]) > missing) {
          bytes fitting = cut;
          fitting[header + 1] =
              static_cast<std::byte>(static_cast<size_t>(cut[header + 1]) - missing);
          one(raw, fitting);
        }
    }
  }

 private:
  void one(const wal::raw_record& raw, byte_view bytes_of_it) {
    ++tried;
    const auto span = memory_.use(bytes_of_it.size());
    std::ranges::copy(bytes_of_it, span.begin());
    if (!pg::decode_record(span, raw.start, raw.end, *record_)) {
      ++not_records;
      return;
    }
    trial_sink sink(state_);
    bool good = redo::ingest(*record_, sink).has_value();
    // What a record can name, and what exists already.
    const size_t most = 64 + span.size() + state_.values().size() + state_.relations().size();
    ASSERT_LE(sink.puts, most) << pg::describe(*record_);
    ASSERT_LE(sink.bytes_put, 64 * 1024 + 64 * most) << pg::describe(*record_);
    for (const auto& block : record_->blocks()) {
      const auto before = state_.read_block(block.relation, block.fork, block.block);
      *page_ = before.value_or(page{});
      good = redo::apply(*record_, block.page_key(), *page_).has_value() && good;
      pg::mask_page(record_->rmgr, block.block, *page_);
    }
    refused += good ? 0 : 1;
  }

  memory_sink& state_;
  guarded_memory memory_{1024 * 1024};
  guarded_page page_;
  std::unique_ptr<pg::record> record_ = std::make_unique<pg::record>();
};

class hostile_redo : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(scenarios, hostile_redo, ::testing::ValuesIn(golden_names()),
                         [](const auto& which) { return which.param; });

TEST_P(hostile_redo, a_record_with_any_byte_changed_or_cut_is_an_error_or_a_record) {
  const auto scenario = load_golden(GetParam());
  auto state = golden_sink();
  trials all(state);
  // Of each type the first few that are not long: those with images for checking would take hours.
  const uint64_t of_each_type = full_test_level() ? 40 : 3;
  const size_t longest = full_test_level() ? 2000 : 400;
  std::map<std::string, uint64_t> seen;
  for_each_golden_record(scenario, [&](const wal::raw_record& raw, const pg::record& record) {
    const auto type =
        pg::resource_manager_name(record.rmgr) + "/" + pg::record_name(record.rmgr, record.info);
    if (raw.bytes.size() <= longest && ++seen[type] <= of_each_type) all.all_changes(raw);
    ASSERT_TRUE(state.replay(record)) << pg::describe(record);
  });
  EXPECT_GT(seen.size(), 10u);
  EXPECT_GT(all.refused, 1000u);
  EXPECT_GT(all.tried, all.not_records);
}

}  // namespace
}  // namespace zenith::testing
