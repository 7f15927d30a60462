// Batches of transaction ends: what goes in comes out, what is damaged is refused.
#include "storage/layers/transaction_end.hpp"

#include <gtest/gtest.h>

#include <random>

namespace zenith::layers {
namespace {

const std::vector<transaction_end> three{
    {1000, lsn{100}, lsn{140}}, {900, lsn{140}, lsn{200}}, {1100, lsn{260}, lsn{300}}};
/// The record before each, where it is known.
const std::vector<transaction_end> known{{1000, lsn{100}, lsn{140}, lsn{60}},
                                         {900, lsn{140}, lsn{200}, lsn{100}},
                                         {1100, lsn{260}, lsn{300}, lsn{}}};

TEST(transaction_end, a_batch_comes_back_as_it_was) {
  const auto batch = decode_transaction_ends(encode_transaction_ends(no_time, three));
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->ends, three);
  EXPECT_EQ(batch->newest_before, no_time);
  EXPECT_EQ(batch->newest(), 1100);
}

TEST(transaction_end, a_batch_has_the_layout_that_its_header_says) {
  const std::vector<transaction_end> one{{-1, lsn{300}, lsn{308}}};
  const bytes encoded = encode_transaction_ends(-7, one);
  bytes expected(18);
  store(expected.data(), uint16_t{1});
  store(expected.data() + 2, int64_t{-7});
  store(expected.data() + 10, int64_t{-1});
  for (const int b : {0x01, 0xac, 0x02, 0x08}) expected.push_back(std::byte(b));
  EXPECT_EQ(encoded, expected);
  EXPECT_EQ(newest_time_of(encoded).value(), -1);
}

TEST(transaction_end, a_batch_says_where_records_before_begin_once_one_is_known) {
  const std::vector<transaction_end> one{{-1, lsn{300}, lsn{308}, lsn{100}}};
  const bytes encoded = encode_transaction_ends(-7, one);
  bytes expected(18);
  store(expected.data(), uint16_t{0x8001});
  store(expected.data() + 2, int64_t{-7});
  store(expected.data() + 10, int64_t{-1});
  for (const int b : {0x01, 0xac, 0x02, 0x08, 0xc8, 0x01}) expected.push_back(std::byte(b));
  EXPECT_EQ(encoded, expected);
  EXPECT_EQ(newest_time_of(encoded).value(), -1);
  const auto batch = decode_transaction_ends(encode_transaction_ends(950, known));
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->ends, known);
}

TEST(transaction_end, a_record_before_that_begins_nowhere_is_refused) {
  bytes encoded = encode_transaction_ends(
      no_time, std::vector<transaction_end>{{0, lsn{100}, lsn{108}, lsn{99}}});
  encoded.back() = std::byte{100};
  const auto batch = decode_transaction_ends(encoded);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, errc::corrupt);
}

TEST(transaction_end, a_batch_finds_times_as_recovery_does) {
  const transaction_end_batch batch{950, three};
  EXPECT_EQ(batch.first_later_than(899, lsn::max()), three[0]);
  EXPECT_EQ(batch.first_later_than(1000, lsn::max()), three[2]);
  EXPECT_EQ(batch.first_later_than(1000, lsn{299}), std::nullopt);
  EXPECT_EQ(batch.first_later_than(1100, lsn::max()), std::nullopt);
  EXPECT_EQ(batch.newest_time(lsn{139}), 950);
  EXPECT_EQ(batch.newest_time(lsn{299}), 1000);
  EXPECT_EQ(batch.newest_time(lsn{300}), 1100);
}

TEST(transaction_end, a_history_that_ends_inside_a_batch_gets_the_ends_before) {
  const bytes encoded = encode_transaction_ends(950, three);
  EXPECT_EQ(until_lsn(encoded, lsn{300}).value(), std::nullopt);
  const auto cut = until_lsn(encoded, lsn{299});
  ASSERT_TRUE(cut && *cut);
  const auto batch = decode_transaction_ends(**cut);
  ASSERT_TRUE(batch);
  EXPECT_EQ(*batch, (transaction_end_batch{950, {three[0], three[1]}}));
  EXPECT_EQ(newest_time_of(**cut).value(), 1000);
  const auto cut_known = until_lsn(encode_transaction_ends(950, known), lsn{200});
  ASSERT_TRUE(cut_known && *cut_known);
  EXPECT_EQ(decode_transaction_ends(**cut_known).value().ends,
            (std::vector<transaction_end>{known[0], known[1]}));
}

TEST(transaction_end, any_batch_comes_back_as_it_was) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto any = [&] { return random() >> random() % 64; };
  for (int round = 0; round < 200; ++round) {
    std::vector<transaction_end> ends;
    uint64_t at = any() >> 12;
    for (size_t left = 1 + random() % transaction_end_batch::ends_max; left > 0; --left) {
      transaction_end one;
      one.time_us = static_cast<int64_t>(any());
      one.start = lsn{at += (any() >> 12) % 1000};
      one.end = lsn{at += 1 + any() % 1000};
      if (random() % 2 == 0 && one.start.value() > 1)
        one.previous = lsn{1 + random() % (one.start.value() - 1)};
      ends.push_back(one);
    }
    const transaction_end_batch made{static_cast<int64_t>(any()), ends};
    const auto batch = decode_transaction_ends(encode_transaction_ends(made.newest_before, ends));
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(*batch, made);
  }
}

class damaged_transaction_ends : public ::testing::TestWithParam<std::vector<transaction_end>> {};
INSTANTIATE_TEST_SUITE_P(forms, damaged_transaction_ends, ::testing::Values(three, known));

TEST_P(damaged_transaction_ends, every_prefix_is_refused_and_every_changed_byte_or_a_batch) {
  const bytes encoded = encode_transaction_ends(950, GetParam());
  for (size_t size = 0; size < encoded.size(); ++size) {
    const auto batch = decode_transaction_ends(byte_view(encoded).first(size));
    ASSERT_FALSE(batch) << size;
    EXPECT_EQ(batch.error().code, errc::corrupt);
  }
  bytes longer = encoded;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_transaction_ends(longer));
  for (size_t at = 0; at < encoded.size(); ++at)
    for (int change = 1; change < 256; ++change) {
      bytes changed = encoded;
      changed[at] ^= std::byte(change);
      const auto batch = decode_transaction_ends(changed);
      if (!batch) continue;
      for (size_t i = 1; i < batch->ends.size(); ++i)
        EXPECT_LE(batch->ends[i - 1].end, batch->ends[i].start);
      EXPECT_EQ(newest_time_of(changed).value(), batch->newest());
    }
}

TEST(transaction_end, a_count_without_ends_behind_it_takes_no_memory) {
  bytes encoded(18);
  store(encoded.data(), uint16_t{0});
  EXPECT_FALSE(decode_transaction_ends(encoded));
  store(encoded.data(), uint16_t{513});
  EXPECT_FALSE(decode_transaction_ends(encoded));
  EXPECT_FALSE(newest_time_of(encoded));
}

}  // namespace
}  // namespace zenith::layers
