#include "engine/fragment_list.h"

#include <gtest/gtest.h>

#include "made_records.h"

namespace sluice::engine {
namespace {

FragmentList random_list(Random& random) {
  FragmentList list;
  if (random() % 2 == 0) list.terms = {.low = random(), .high = random()};
  list.fragments.resize(1 + random() % 50);
  for (Fragment& fragment : list.fragments) {
    for (std::byte& byte : fragment.identity) byte = static_cast<std::byte>(random());
    fragment.raw_bytes = static_cast<std::uint32_t>(1 + random() % (4 << 20));
  }
  return list;
}

std::string written(const FragmentList& list) {
  std::vector<std::byte> out;
  write_fragment_list(list, out);
  return text_of(out);
}

std::string fault_of(std::string_view text) {
  FragmentList list;
  const auto read = read_fragment_list(bytes(text), "key k", list);
  if (read) return "";
  EXPECT_EQ(read.error().stage, Stage::storage);
  EXPECT_EQ(read.error().code, "corrupt");
  EXPECT_TRUE(read.error().message.starts_with("key k: fragment list: "));
  return read.error().message.substr(22);
}

TEST(FragmentList, WhatIsWrittenIsReadAgain) {
  Random random(1);
  FragmentList read;
  for (int round = 0; round < 100; ++round) {
    const FragmentList list = random_list(random);
    const std::string text = written(list);
    ASSERT_TRUE(read_fragment_list(bytes(text), "here", read).has_value());
    EXPECT_EQ(read, list);
    std::uint64_t sum = 0;
    for (const Fragment& fragment : list.fragments) sum += fragment.raw_bytes;
    EXPECT_EQ(read.value_bytes(), sum);
  }
}

TEST(FragmentList, RefusesWhatIsNotOne) {
  const std::string none(17, '\0');
  const std::string identity(32, 'i');
  EXPECT_EQ(fault_of(none + identity + '\1'), "");
  EXPECT_EQ(fault_of(""), "of 0 bytes");
  EXPECT_EQ(fault_of(none), "of 17 bytes") << "no fragment";
  EXPECT_EQ(fault_of('\2' + none.substr(1) + identity + '\1'), "flags 0x2 are unknown");
  EXPECT_EQ(fault_of(none.substr(1) + '\1' + identity + '\1'), "terms where there are none");
  EXPECT_EQ(fault_of('\1' + none.substr(1) + identity + '\1'), "") << "they may come to zero";
  EXPECT_EQ(fault_of(none + identity.substr(1)), "an identity is cut");
  EXPECT_EQ(fault_of(none + identity), "a length is cut");
  EXPECT_EQ(fault_of(none + identity + '\x81'), "a length is cut");
  EXPECT_EQ(fault_of(none + identity + '\0'), "a fragment of 0 bytes");
  EXPECT_EQ(fault_of(none + identity + "\x80\x80\x80\2"), "");
  EXPECT_EQ(fault_of(none + identity + "\x81\x80\x80\2"), "a fragment of 4194305 bytes");
  EXPECT_EQ(fault_of(none + identity + '\1' + "rest"), "an identity is cut");
}

}  // namespace
}  // namespace sluice::engine
