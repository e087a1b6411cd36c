#include "net/command_scanner.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::net {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

const std::string commands =
    "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n*1\r\n$4\r\nPING\r\n";

TEST(CommandScanner, CountsCommandsWhateverIsInThem) {
  CommandScanner scanner;
  EXPECT_EQ(scanner.scan(bytes(commands)), 2u);
  EXPECT_TRUE(scanner.filler().empty());
}

TEST(CommandScanner, CountsTheSameHoweverTheyAreCut) {
  for (std::size_t cut = 0; cut <= commands.size(); ++cut) {
    CommandScanner scanner;
    const std::size_t first = scanner.scan(bytes(commands.substr(0, cut)));
    EXPECT_EQ(first + scanner.scan(bytes(commands.substr(cut))), 2u);
    EXPECT_EQ(first, cut < 14 ? 0u : cut < commands.size() ? 1u : 2u) << cut;
  }
}

TEST(CommandScanner, FindsBordersWhereverTheInputIsCut) {
  const std::vector<std::size_t> ends{14, commands.size()};
  for (std::size_t cut = 1; cut <= commands.size(); ++cut) {
    CommandScanner scanner;
    std::vector<std::size_t> found;
    for (std::size_t at = 0; at < commands.size();) {
      at += scanner.take(bytes(std::string_view(commands).substr(at, cut)));
      if (scanner.at_border()) found.push_back(at);
    }
    EXPECT_EQ(found, ends) << cut;
  }
}

TEST(CommandScanner, FillsWhatWasBrokenOff) {
  // Between arguments and in them.
  for (const std::size_t cut : {0, 4, 8, 9, 13, 14, 18, 22, 25, 27, 31, 33, 38, 44, 52, 53}) {
    CommandScanner scanner;
    std::string text = commands.substr(0, cut);
    std::size_t ended = scanner.scan(bytes(text));
    for (auto filler = scanner.filler(); !filler.empty(); filler = scanner.filler()) {
      text.append(reinterpret_cast<const char*>(filler.data()), filler.size());
      ended += scanner.scan(filler);
    }
    const std::size_t begun = cut == 0 ? 0 : cut <= 14 ? 1 : 2;
    EXPECT_EQ(ended, begun) << cut;
    CommandScanner again;
    EXPECT_EQ(again.scan(bytes(text)), begun) << cut;
    EXPECT_TRUE(again.filler().empty()) << cut;
  }
}

}  // namespace
}  // namespace sluice::net
