#include "engine/key_file.h"

#include <fstream>

#include "backups.h"

namespace sluice::engine {
namespace {

using Names = std::unordered_set<std::string>;

class KeyFileTest : public BackupsTest {
 protected:
  Result<Names> names_in(std::string_view content) {
    Names names;
    if (auto read = read_key_file(write_file(content), names); !read)
      return std::unexpected(read.error());
    return names;
  }
};

TEST_F(KeyFileTest, TakesOneNameALine) {
  EXPECT_EQ(*names_in("a\n\nb c\r\na\nlast"), Names({"a", "b c", "last"}));
  EXPECT_EQ(*names_in(""), Names());
}

TEST_F(KeyFileTest, TakesNamesAsMessagesShowThem) {
  EXPECT_EQ(*names_in("\"user:7\"\nx\\x00\\xfFy\n\\\\\\\"\n\"\"\n\xc3\xa4\n"),
            Names({"user:7", std::string("x\0\xffy", 4), "\\\"", "", "\xc3\xa4"}));
}

TEST_F(KeyFileTest, SaysWhichLineIsWrong) {
  for (const char* wrong : {"a\nb\\n\n", "a\n\\x1g\n", "a\nx\\"}) {
    const auto names = names_in(wrong);
    ASSERT_FALSE(names.has_value()) << wrong;
    EXPECT_EQ(names.error().code, "bad_key_file");
    EXPECT_NE(names.error().message.find("line 2"), std::string::npos);
  }
  Names names;
  EXPECT_FALSE(read_key_file(folder_.string() + "/none", names).has_value());
  EXPECT_FALSE(read_key_file(folder_.string(), names).has_value());
}

}  // namespace
}  // namespace sluice::engine
