// docs/record-format.md has an example; it is what is written here.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "engine/canonical_value.h"
#include "engine/fragment_list.h"
#include "made_records.h"

namespace sluice::engine {
namespace {

/// The bytes of the last block of the page: the hex digits of each line up to two spaces.
std::string documented_run() {
  std::ifstream file(SLUICE_TEST_DATA "/../../docs/record-format.md");
  EXPECT_TRUE(file) << "docs/record-format.md";
  const std::string page(std::istreambuf_iterator<char>(file), {});
  std::istringstream block(page.substr(page.find("```\n", page.find("## Example")) + 4));
  std::string run;
  for (std::string line; std::getline(block, line) && line != "```";) {
    std::istringstream words(line.substr(0, line.find("  ")));
    for (std::string word; words >> word;) {
      for (std::size_t i = 0; i + 1 < word.size(); i += 2) {
        run += static_cast<char>(std::stoi(word.substr(i, 2), nullptr, 16));
      }
    }
  }
  return run;
}

FragmentList video_fragments() {
  FragmentList list{.terms = rdb::Digest128{.low = 0x1122334455667788, .high = 0x99aabbccddeeff00},
                    .fragments = {{.raw_bytes = 1'048'576}, {.raw_bytes = 451'429}}};
  int next = 0;
  for (Fragment& fragment : list.fragments) {
    for (std::byte& byte : fragment.identity) byte = static_cast<std::byte>(next++);
  }
  return list;
}

TEST(RecordFormat, TheExampleOfThePageIsWhatIsWritten) {
  std::vector<std::byte> set;
  const std::string came{"\2\1b\1a", 5};
  const rdb::ValueType& set_type = *rdb::find_value_type(rdb::Dialect::redis, 2);
  ASSERT_TRUE(CanonicalValue().canonicalise(set_type, bytes(came), set));
  std::vector<std::byte> fragments;
  write_fragment_list(video_fragments(), fragments);
  const MadeRecords records{
      {"user:1", {.idle_s = 300, .value = "\3abc"}},
      {"user:10",
       {.type = 2, .expire_at_ms = 1'700'000'000'000, .meta = "\xf3\1\2", .value = text_of(set)}},
      {"video",
       {.expire_at_ms = -1,
        .freq = std::uint8_t{5},
        .fragmented = true,
        .value = text_of(fragments)}}};
  const std::string page = documented_run();
  RunWriter writer;
  EXPECT_EQ(text_of(write_run(writer, records)), page);
  EXPECT_EQ(read_run(bytes(page)), records);
  FragmentList list;
  EXPECT_TRUE(read_fragment_list(bytes(records.at("video").value), "video", list).has_value());
  EXPECT_EQ(list, video_fragments());
}

}  // namespace
}  // namespace sluice::engine
